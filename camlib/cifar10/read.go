package cifar10

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip" // reads the archive in 60 % of compress/gzip's time (BenchmarkLoad)
)

// Names inside the release.
const (
	archiveName = "cifar-10-binary.tar.gz"
	folderName  = "cifar-10-batches-bin"
)

// release describes the files of a release; tests make small ones.
type release struct {
	records     int // in each batch
	batches     []batch
	url         string
	archiveSize int64
	archiveMD5  string
}

// official is the release of 2009. The sha256 sums are those of the files in
// the archive whose md5 the home page states.
var official = &release{
	records: 10_000,
	batches: []batch{
		{"data_batch_1.bin", Train, 0, "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"},
		{"data_batch_2.bin", Train, 10_000, "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"},
		{"data_batch_3.bin", Train, 20_000, "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"},
		{"data_batch_4.bin", Train, 30_000, "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"},
		{"data_batch_5.bin", Train, 40_000, "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"},
		{"test_batch.bin", Test, 0, "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"},
	},
	url:         "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
	archiveSize: 170_052_171,
	archiveMD5:  "c32a1d4ab5d03f1284b67883e8d87530",
}

// of returns the batches of the given splits.
func (r *release) of(splits ...Split) []batch {
	var bs []batch
	for _, b := range r.batches {
		for _, s := range splits {
			if b.split == s {
				bs = append(bs, b)
			}
		}
	}
	return bs
}

// locate returns where in dir the wanted batches are: dir itself, its folder
// cifar-10-batches-bin, or an archive. A folder with only some of them is
// worse than an archive, and named in the error when there is none.
func locate(dir string, want []batch) (string, error) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", noData(dir)
	case err != nil:
		return "", fmt.Errorf("cifar10: data folder: %w", err)
	case !info.IsDir():
		return dir, nil
	}
	var incomplete error
	for _, folder := range []string{dir, filepath.Join(dir, folderName)} {
		absent := absentFrom(folder, want)
		if len(absent) == 0 {
			return folder, nil
		}
		if len(absent) < len(want) && incomplete == nil {
			incomplete = missing(filepath.Join(folder, absent[0].name))
		}
	}
	archive := filepath.Join(dir, archiveName)
	if info, err := os.Stat(archive); err == nil && info.Mode().IsRegular() {
		return archive, nil
	}
	if incomplete != nil {
		return "", incomplete
	}
	return "", noData(dir)
}

// absentFrom returns the batches that a folder lacks.
func absentFrom(folder string, want []batch) []batch {
	var absent []batch
	for _, b := range want {
		if info, err := os.Stat(filepath.Join(folder, b.name)); err != nil || info.IsDir() {
			absent = append(absent, b)
		}
	}
	return absent
}

// noData is the error for a folder that holds neither files nor archive.
func noData(dir string) error {
	return &Error{
		File: dir, Record: -1, Kind: ErrNoData,
		What: "no CIFAR-10 here",
		Want: "the archive or its six .bin files: allow the download, or " + remedy(dir),
	}
}

// batchFunc takes the content of one batch; file is its name for errors. It
// is called from several goroutines, and must not keep data.
type batchFunc func(b batch, data []byte, file string) error

// read calls f with every batch in want, found at location, a folder or an
// archive. It returns the error of the earliest batch that has one.
func (r *release) read(ctx context.Context, location string, want []batch, f batchFunc) error {
	info, err := os.Stat(location)
	if err != nil {
		return fmt.Errorf("cifar10: %w", err)
	}
	if info.IsDir() {
		return r.readFolder(ctx, location, want, f)
	}
	archive, err := os.Open(location)
	if err != nil {
		return fmt.Errorf("cifar10: %w", err)
	}
	defer archive.Close()
	return r.readArchive(ctx, archive, location, want, f)
}

// readFolder reads the batches at the same time, each from its file.
func (r *release) readFolder(ctx context.Context, folder string, want []batch, f batchFunc) error {
	errs := make([]error, len(want))
	var wg sync.WaitGroup
	for i, b := range want {
		wg.Go(func() {
			file := filepath.Join(folder, b.name)
			data, err := r.readFile(ctx, file)
			if err == nil {
				err = f(b, data, file)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	return first(errs)
}

// readFile reads one batch, after looking at its size.
func (r *release) readFile(ctx context.Context, file string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("cifar10: %s: %w", file, err)
	}
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missing(file)
	} else if err != nil {
		return nil, fmt.Errorf("cifar10: %w", err)
	}
	if err := r.checkSize(file, info.Size()); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("cifar10: %w", err)
	}
	return data, nil
}

// readArchive reads a gzipped tar up to the last batch it wants. Decompressing
// is serial, so each batch is handed on in a goroutine of its own as soon as
// it is complete.
func (r *release) readArchive(ctx context.Context, src io.Reader, name string, want []batch, f batchFunc) error {
	errs := make([]error, len(want)+1) // the last one is the archive's own
	seen := make([]bool, len(want))
	var wg sync.WaitGroup
	errs[len(want)] = r.walk(ctx, src, name, want, func(i int, data []byte) {
		seen[i] = true
		wg.Go(func() { errs[i] = f(want[i], data, name+": "+want[i].name) })
	})
	wg.Wait()
	if err := first(errs); err != nil {
		return err
	}
	for i, b := range want {
		if !seen[i] {
			return missing(name + ": " + b.name)
		}
	}
	return nil
}

// walk calls found with the position in want and the content of every wanted
// batch, in the archive's order, each at most once.
func (r *release) walk(ctx context.Context, src io.Reader, name string, want []batch, found func(i int, data []byte)) error {
	zr, err := gzip.NewReader(bufio.NewReaderSize(src, 1<<20))
	if err != nil {
		return archiveError(name, -1, err)
	}
	seen := make(map[string]bool)
	for tr := tar.NewReader(zr); len(seen) < len(want); {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("cifar10: %s: %w", name, err)
		}
		h, err := tr.Next()
		if err == io.EOF {
			return nil
		} else if err != nil {
			return archiveError(name, -1, err)
		}
		i := position(want, path.Base(h.Name))
		if i < 0 || h.Typeflag != tar.TypeReg {
			continue
		}
		entry := name + ": " + want[i].name
		if seen[want[i].name] {
			return &Error{File: entry, Record: -1, Kind: ErrArchive, What: "in the archive twice", Want: "once"}
		}
		seen[want[i].name] = true
		if err := r.checkSize(entry, h.Size); err != nil {
			return err
		}
		data := make([]byte, h.Size)
		if n, err := io.ReadFull(tr, data); err != nil {
			return archiveError(entry, n/recordSize, err)
		}
		found(i, data)
	}
	return nil
}

// position returns where in bs the batch of that name is, or -1.
func position(bs []batch, name string) int {
	for i, b := range bs {
		if b.name == name {
			return i
		}
	}
	return -1
}

// archiveError says whether the archive is cut short or damaged.
func archiveError(file string, record int, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return &Error{
			File: file, Record: record, Kind: ErrTruncated, Cause: err,
			What: "the archive ends here", Want: "all six .bin files in full",
		}
	}
	return &Error{
		File: file, Record: record, Kind: ErrArchive, Cause: err,
		What: strings.TrimSpace(err.Error()), Want: "a gzipped tar archive",
	}
}

// missing is the error for one absent file.
func missing(file string) error {
	return &Error{
		File: file, Record: -1, Kind: ErrMissing,
		What: "file missing", Want: "all six .bin files",
	}
}

// first returns the first error that is not nil.
func first(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
