package cifar10

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// tinyRecords is the number of records in each batch of a tiny release.
const tinyRecords = 3

// entry is one file of a release.
type entry struct {
	name string
	data []byte
}

// tiny returns a release like the official one, of 3 images a batch, its
// files, and the images that are in them.
func tiny(tb testing.TB) (r *release, files []entry, train, test *Dataset) {
	tb.Helper()
	rnd := rand.New(rand.NewPCG(10, 2009))
	r = &release{records: tinyRecords}
	train, test = newDataset(Train, 5*tinyRecords), newDataset(Test, tinyRecords)
	for _, d := range []*Dataset{train, test} {
		for i := range d.Labels {
			d.Labels[i] = uint8(rnd.IntN(NumClasses))
		}
		for i := range d.Pixels {
			d.Pixels[i] = byte(rnd.Uint32())
		}
		records := encodeRecords(d)
		for data := range slices.Chunk(records, tinyRecords*recordSize) {
			b := official.batches[len(files)]
			b.first = b.first / official.records * tinyRecords
			b.sha256 = sum(data)
			r.batches = append(r.batches, b)
			files = append(files, entry{b.name, data})
		}
	}
	archive := pack(tb, files)
	r.archiveSize, r.archiveMD5 = int64(len(archive)), md5Sum(archive)
	r.url = "http://unused.invalid/" + archiveName
	return r, files, train, test
}

// sum returns the sha256 of data in hex.
func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// md5Sum returns the md5 of data in hex.
func md5Sum(data []byte) string {
	s := md5.Sum(data)
	return hex.EncodeToString(s[:])
}

// pack returns files as an archive laid out like the official one. It does
// not compress, so that a cut or a change hits the same byte with every
// version of Go.
func pack(tb testing.TB, files []entry) []byte {
	tb.Helper()
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	files = append([]entry{{"batches.meta.txt", []byte("airplane\n")}}, files...)
	for _, f := range files {
		h := &tar.Header{Name: folderName + "/" + f.name, Size: int64(len(f.data)), Mode: 0o644}
		if err := tw.WriteHeader(h); err != nil {
			tb.Fatal(err)
		}
		if _, err := tw.Write(f.data); err != nil {
			tb.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		tb.Fatal(err)
	}
	return zip(tb, b.Bytes())
}

// zip returns data as a gzip file of short stored blocks, so that a cut one
// can be read nearly up to the cut.
func zip(tb testing.TB, data []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	zw, err := gzip.NewWriterLevel(&b, gzip.NoCompression)
	if err != nil {
		tb.Fatal(err)
	}
	for block := range slices.Chunk(data, 512) {
		if _, err := zw.Write(block); err != nil {
			tb.Fatal(err)
		}
		if err := zw.Flush(); err != nil {
			tb.Fatal(err)
		}
	}
	if err := zw.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// encodeRecords is the inverse of decodeRecords.
func encodeRecords(d *Dataset) []byte {
	var records []byte
	for i, label := range d.Labels {
		records = append(records, label)
		image := d.Pixels[i*imageSize:][:imageSize]
		for c := range Channels {
			for p := range planeSize {
				records = append(records, image[p*Channels+c])
			}
		}
	}
	return records
}

// write puts a file, with the folders above it, on disk.
func write(tb testing.TB, file string, data []byte) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		tb.Fatal(err)
	}
}

// unpack puts files into a folder.
func unpack(tb testing.TB, folder string, files []entry) {
	tb.Helper()
	for _, f := range files {
		write(tb, filepath.Join(folder, f.name), f.data)
	}
}

// list returns the names in a folder, none if it is absent.
func list(tb testing.TB, folder string) []string {
	tb.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil && !os.IsNotExist(err) {
		tb.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// untar returns the tar in an archive.
func untar(tb testing.TB, archive []byte) []byte {
	tb.Helper()
	zr, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		tb.Fatal(err)
	}
	data, err := io.ReadAll(zr)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}
