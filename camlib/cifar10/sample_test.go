package cifar10

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "write the sample files anew from the real archive")

// chooseSample returns the first 100 images of every class, in their order.
func chooseSample(t *testing.T, test *Dataset) *Dataset {
	t.Helper()
	var positions []int
	var taken [NumClasses]int
	for i, label := range test.Labels {
		if taken[label] < samplePerClass {
			taken[label]++
			positions = append(positions, i)
		}
	}
	d, err := test.Select(positions...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// encodeSample is the inverse of decodeSample.
func encodeSample(t *testing.T, d *Dataset) (bin, index []byte) {
	t.Helper()
	records := encodeRecords(d)
	for record := range slices.Chunk(records, recordSize) {
		for row := range slices.Chunk(record[1:], Width) {
			for x := Width - 1; x > 0; x-- {
				row[x] -= row[x-1]
			}
		}
	}
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(records); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	index, err = json.Marshal(d.Index)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), append(index, '\n')
}

func TestSampleIsReal(t *testing.T) {
	_, test := loadReal(t)
	want := chooseSample(t, test)
	if *update {
		sampleBin, sampleIndex = encodeSample(t, want)
		for name, data := range map[string][]byte{"sample.bin.gz": sampleBin, "sample_index.json": sampleIndex} {
			if err := os.WriteFile(name, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := Sample()
	if !bytes.Equal(want.Pixels, got.Pixels) || !bytes.Equal(want.Labels, got.Labels) || !slices.Equal(want.Index, got.Index) {
		t.Error("sample differs from the real data: see go:generate in sample.go")
	}
}

func TestSampleIsBalancedAndOrdered(t *testing.T) {
	d := Sample()
	var count [NumClasses]int
	for _, label := range d.Labels {
		count[label]++
	}
	for class, n := range count {
		if n != samplePerClass {
			t.Errorf("%s: %d images, want %d", Classes[class], n, samplePerClass)
		}
	}
	for i := 1; i < d.Len(); i++ {
		if d.Index[i] <= d.Index[i-1] {
			t.Fatalf("index %d is %d after %d, want ascending", i, d.Index[i], d.Index[i-1])
		}
	}
}

func TestSampleCallsAreIndependent(t *testing.T) {
	d := Sample()
	d.Pixels[0]++
	d.Labels[0]++
	d.Index[0]++
	if e := Sample(); d.Pixels[0] == e.Pixels[0] || d.Labels[0] == e.Labels[0] || d.Index[0] == e.Index[0] {
		t.Error("a change to one sample shows in the next")
	}
}

func TestSampleSize(t *testing.T) {
	if n := len(sampleBin) + len(sampleIndex); n > 2_600_000 {
		t.Errorf("sample takes %d bytes of every program, want at most 2,600,000", n)
	}
}

func TestDecodeSampleErrors(t *testing.T) {
	bad := make([]byte, samplePerClass*NumClasses*recordSize)
	bad[7*recordSize] = 12
	for _, test := range []struct {
		name       string
		bin, index []byte
		want       string
	}{
		{"index is not JSON", sampleBin, nil, "cifar10: sample index: unexpected end of JSON input"},
		{"not gzip", []byte("not gzip, at least ten bytes"), sampleIndex, "cifar10: sample: gzip: invalid header"},
		{"cut", sampleBin[:1000], sampleIndex, "cifar10: sample: unexpected EOF"},
		{"too few records", zip(t, bad[:recordSize]), []byte("[0]"), "cifar10: sample: 3073 bytes and 1 indices, want 3073000 and 1000"},
		{"label above 9", zip(t, bad), sampleIndex, "cifar10: sample: record 7: label 12, want 0 to 9"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := decodeSample(test.bin, test.index); err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}
