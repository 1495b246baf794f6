package runs

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// This file writes TensorBoard's event files: a TFRecord for each event, which is a
// protocol buffer of tensorflow/core/util/event.proto with a summary of
// tensorflow/core/framework/summary.proto. Below, each field has its name and number there.

// eventWriter writes events and remembers the first error.
type eventWriter struct {
	w   io.Writer
	err error
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// maskedCRC is TFRecord's checksum: a CRC-32C, rotated by 15 bits, and a constant added.
func maskedCRC(data []byte) uint32 {
	c := crc32.Checksum(data, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

// record writes a TFRecord: the length of the data (uint64), its checksum, the data, and
// theirs, all little-endian.
func (e *eventWriter) record(data []byte) {
	if e.err != nil {
		return
	}
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	b = binary.LittleEndian.AppendUint32(b, maskedCRC(b))
	b = append(b, data...)
	b = binary.LittleEndian.AppendUint32(b, maskedCRC(data))
	_, e.err = e.w.Write(b)
}

// event writes an Event: wall_time (1, seconds since 1970), step (2), and what it is.
func (e *eventWriter) event(at time.Time, step int64, what []byte) {
	b := protowire.AppendTag(nil, 1, protowire.Fixed64Type)
	b = protowire.AppendFixed64(b, math.Float64bits(float64(at.UnixNano())/1e9))
	if step != 0 { // which is what a missing one is
		b = append(b, varintField(2, uint64(step))...)
	}
	e.record(append(b, what...))
}

// version writes the event that has to be the first: file_version (3).
func (e *eventWriter) version(at time.Time) { e.event(at, 0, stringField(3, "brain.Event:2")) }

// scalar writes a summary (5) of one value (1): tag (1) and simple_value (2).
func (e *eventWriter) scalar(at time.Time, step int64, tag string, value float64) {
	v := protowire.AppendTag(stringField(1, tag), 2, protowire.Fixed32Type)
	v = protowire.AppendFixed32(v, math.Float32bits(float32(value)))
	e.event(at, step, bytesField(5, bytesField(1, v)))
}

// text writes a summary (5) of one value (1) that the text plugin shows, as Markdown: tag
// (1), tensor (8) and metadata (9). The tensor has dtype (1) string (7), tensor_shape (2)
// of one dim (2) of size (1) 1, and string_val (8); the metadata plugin_data (1) with
// plugin_name (1).
func (e *eventWriter) text(at time.Time, step int64, tag, markdown string) {
	tensor := append(varintField(1, 7), bytesField(2, bytesField(2, varintField(1, 1)))...)
	tensor = append(tensor, stringField(8, markdown)...)
	v := append(stringField(1, tag), bytesField(8, tensor)...)
	v = append(v, bytesField(9, bytesField(1, stringField(1, "text")))...)
	e.event(at, step, bytesField(5, bytesField(1, v)))
}

func bytesField(number protowire.Number, b []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), b)
}

func stringField(number protowire.Number, s string) []byte { return bytesField(number, []byte(s)) }

func varintField(number protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.VarintType), v)
}
