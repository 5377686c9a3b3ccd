#!/bin/sh
# What kcat tells of the topic: it knows no Avro, so keys, headers, counts and raw values.
# KAFKA and TOPIC say where.
set -eu
kafka=${KAFKA:-127.0.0.1:9092} topic=${TOPIC:-session.events}

all() {  # every record that is there now, in a format, and then the end
  kcat -b "$kafka" -t "$topic" -C -o beginning -e -q -X isolation.level=read_committed -f "$1"
}

echo "partition, offset, bytes, key and headers of the first records:"
all '%p %o %S %k %h\n' | head -n 5

echo "records by partition:"
all '%p\n' | sort -n | uniq -c

echo "records by type:"
all '%h\n' | sed 's/.*ce_type=\([^,]*\).*/\1/' | sort | uniq -c

echo "the first record's frame, a zero byte and the schema's id:"
kcat -b "$kafka" -t "$topic" -C -o beginning -c 1 -q -f '%s' | od -A n -t x1 -N 5
