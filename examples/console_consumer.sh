#!/bin/sh
# What Kafka's own tools tell of the topic, which know no Avro: keys, headers and counts.
# KAFKA and TOPIC say where; the tools are those of a Kafka distribution, on the PATH.
set -eu
kafka=${KAFKA:-127.0.0.1:9092} topic=${TOPIC:-session.events}

echo "records by partition, as topic:partition:count:"
kafka-get-offsets.sh --bootstrap-server "$kafka" --topic "$topic"

echo "keys and headers, until nothing comes for 10 s:"
kafka-console-consumer.sh --bootstrap-server "$kafka" --topic "$topic" --from-beginning --timeout-ms 10000 \
  --isolation-level read_committed --formatter-property print.partition=true \
  --formatter-property print.offset=true --formatter-property print.key=true \
  --formatter-property print.headers=true --formatter-property print.value=false
