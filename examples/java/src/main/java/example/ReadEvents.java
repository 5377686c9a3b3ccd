package example;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Prints every event that the topic holds now, as a line of JSON, and ends.
 *
 * <p>KAFKA, TOPIC and REGISTRY say where; the registry is the relay's own, or any that speaks Confluent's API.
 */
public final class ReadEvents {
  private static final int FRAME_BYTES = 5;

  private final ObjectMapper json = new ObjectMapper(); // Avro brings it
  private final HttpClient http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(10)).build();
  private final Map<Integer, GenericDatumReader<GenericRecord>> readers = new HashMap<>();
  private final String registry;
  /** Every event is read with this one, whatever version wrote it. */
  private final Schema newest;

  private ReadEvents(String registry, String topic) throws IOException, InterruptedException {
    this.registry = registry;
    newest = new Schema.Parser().parse(fetched("/subjects/" + topic + "-value/versions/latest"));
  }

  public static void main(String[] arguments) throws Exception {
    String topic = setting("TOPIC", "session.events");
    var reading = new ReadEvents(setting("REGISTRY", "http://127.0.0.1:8080"), topic);
    var properties = new Properties();
    properties.put("bootstrap.servers", setting("KAFKA", "127.0.0.1:9092"));
    properties.put("isolation.level", "read_committed");
    properties.put("enable.auto.commit", "false");
    try (var consumer =
        new KafkaConsumer<>(properties, new StringDeserializer(), new ByteArrayDeserializer())) {
      List<TopicPartition> partitions =
          consumer.partitionsFor(topic).stream()
              .map(partition -> new TopicPartition(topic, partition.partition()))
              .toList();
      consumer.assign(partitions); // no group: nothing is shared, and nothing is left behind
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      while (partitions.stream().anyMatch(at -> consumer.position(at) < ends.get(at))) {
        for (ConsumerRecord<String, byte[]> record : consumer.poll(Duration.ofMillis(500))) {
          if (record.value() != null) {
            System.out.println(reading.line(reading.decode(record.value())));
          }
        }
      }
    }
  }

  /** Confluent's frame: a zero byte, the schema's id in four bytes, then the Avro body. */
  private GenericRecord decode(byte[] value) throws IOException, InterruptedException {
    var frame = ByteBuffer.wrap(value);
    if (value.length < FRAME_BYTES || frame.get() != 0) {
      throw new IOException("no Confluent frame");
    }
    int id = frame.getInt();
    GenericDatumReader<GenericRecord> reader = readers.get(id);
    if (reader == null) {
      Schema writer = new Schema.Parser().parse(fetched("/schemas/ids/" + id));
      reader = new GenericDatumReader<>(writer, newest);
      readers.put(id, reader);
    }
    var decoder =
        DecoderFactory.get().binaryDecoder(value, FRAME_BYTES, value.length - FRAME_BYTES, null);
    return reader.read(null, decoder);
  }

  private String fetched(String path) throws IOException, InterruptedException {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create(registry + path)).timeout(Duration.ofSeconds(10)).build();
    HttpResponse<String> response = http.send(request, HttpResponse.BodyHandlers.ofString());
    if (response.statusCode() != 200) {
      throw new IOException("the registry answers " + response.statusCode() + " to " + path);
    }
    return json.readTree(response.body()).get("schema").asText();
  }

  private String line(GenericRecord event) throws IOException {
    Instant occurred = Instant.EPOCH.plus((Long) event.get("occurred_at"), ChronoUnit.MICROS);
    var stages = (ByteBuffer) event.get("sleep_stages");
    var told = new HashMap<String, Object>();
    told.put("event_id", event.get("event_id").toString());
    told.put("type", event.get("type").toString());
    told.put("occurred_at", occurred.toString());
    told.put("epochs", stages == null ? 0 : stages.remaining());
    return json.writeValueAsString(told);
  }

  private static String setting(String name, String otherwise) {
    return System.getenv().getOrDefault(name, otherwise);
  }
}
