package compatibility;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import org.apache.avro.AvroRuntimeException;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;

/** Reads two lines a pair, the reader's schema and the writer's, and prints one: what Avro makes of them. */
public final class Verdicts {
  private Verdicts() {}

  public static void main(String[] arguments) throws IOException {
    var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String reader = lines.readLine(); reader != null; reader = lines.readLine()) {
      System.out.println("verdict " + verdict(reader, lines.readLine()));
    }
  }

  private static String verdict(String reader, String writer) {
    try {
      var read = new Schema.Parser().parse(reader);
      var written = new Schema.Parser().parse(writer);
      var told = SchemaCompatibility.checkReaderWriterCompatibility(read, written).getResult();
      return told.getCompatibility() + " " + told.getIncompatibilities().stream().map(Object::toString).toList();
    } catch (AvroRuntimeException error) {
      return "INVALID " + error.getMessage();
    }
  }
}
