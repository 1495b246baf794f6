package cifar10

import (
	"bytes"
	"errors"
	"sync"
	"testing"
)

// The inputs are long: add -fuzzminimizetime=1x to -fuzz, or the fuzzer spends
// its time on making them shorter.

// FuzzDecode: any batch of the right size decodes to what encodes to the same
// bytes, or has a label above 9; any other size is an error.
func FuzzDecode(f *testing.F) {
	_, files, _, _ := tiny(f)
	f.Add(files[0].data)
	f.Add(files[0].data[1:])
	f.Add(append(bytes.Clone(files[1].data), 10))
	f.Add(bytes.Repeat([]byte{9}, tinyRecords*recordSize))
	f.Add(bytes.Repeat([]byte{10}, tinyRecords*recordSize))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &release{records: tinyRecords}
		d := newDataset(Test, tinyRecords)
		err := r.decode(batch{name: "b.bin", split: Test, sha256: sum(data)}, data, "b.bin", d)
		switch {
		case len(data) != tinyRecords*recordSize:
			if !errors.Is(err, ErrSize) {
				t.Fatalf("%d bytes: %v", len(data), err)
			}
		case max(data[0], data[recordSize], data[2*recordSize]) >= NumClasses:
			if !errors.Is(err, ErrLabel) {
				t.Fatalf("labels %d, %d, %d: %v", data[0], data[recordSize], data[2*recordSize], err)
			}
		case err != nil:
			t.Fatal(err)
		case !bytes.Equal(encodeRecords(d), data):
			t.Fatal("encoding does not give the same bytes")
		}
	})
}

// FuzzArchive: whatever the bytes, as an archive or as the tar inside one,
// reading ends in the batches as they were packed or in an Error, never in a
// panic.
func FuzzArchive(f *testing.F) {
	r, files, _, _ := tiny(f)
	packed := pack(f, files)
	f.Add(packed, false)
	f.Add(packed[:len(packed)/2], false)
	f.Add(pack(f, append(files[:1:1], files...)), false)
	f.Add(pack(f, files[1:]), false)
	f.Add([]byte{0x1f, 0x8b}, false)
	f.Add(untar(f, packed), true)
	f.Add(untar(f, packed)[:20_000], true)
	f.Add(bytes.Repeat([]byte{0}, 1024), true)
	f.Fuzz(func(t *testing.T, data []byte, isTar bool) {
		if isTar {
			data = zip(t, data)
		}
		var mu sync.Mutex
		seen := make(map[string]int)
		err := r.readArchive(t.Context(), bytes.NewReader(data), "a", r.batches, func(b batch, data []byte, file string) error {
			mu.Lock()
			seen[b.name]++
			mu.Unlock()
			return r.decode(b, data, file, newDataset(b.split, 5*tinyRecords))
		})
		var e *Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("%T: %v", err, err)
		}
		for name, n := range seen {
			if n > 1 {
				t.Fatalf("%s read %d times", name, n)
			}
		}
		if err == nil && len(seen) != len(r.batches) {
			t.Fatalf("%d batches without an error, want %d", len(seen), len(r.batches))
		}
	})
}
