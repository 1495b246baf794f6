package cifar10

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/camlab-go/camlab/internal/shared"
	"github.com/google/go-cmp/cmp"
)

// TestConcurrentReading reads the files of a release, which are read at the same time, in
// every form in which they can lie there.
func TestConcurrentReading(t *testing.T) {
	r, files, train, test := tiny(t)
	shuffled := slices.Clone(files)
	slices.Reverse(shuffled)
	for _, form := range []struct {
		name string
		make func(t *testing.T, dir string) // writes below dir
		dir  string                         // what is asked for, below dir
		want string                         // where it is found, below dir
	}{
		{"folder of files", func(t *testing.T, dir string) {
			unpack(t, dir, files)
		}, "", ""},
		{"folder of the release", func(t *testing.T, dir string) {
			unpack(t, filepath.Join(dir, folderName), files)
		}, "", folderName},
		{"folder of the archive", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, archiveName), pack(t, files))
		}, "", archiveName},
		{"archive under its own name", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "mine.tgz"), pack(t, files))
		}, "mine.tgz", "mine.tgz"},
		{"archive in another order", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, archiveName), pack(t, shuffled))
		}, "", archiveName},
		{"all files are taken before an archive", func(t *testing.T, dir string) {
			unpack(t, dir, files)
			write(t, filepath.Join(dir, archiveName), []byte("never read"))
		}, "", ""},
		{"an archive is taken before some files", func(t *testing.T, dir string) {
			unpack(t, dir, files[:2])
			write(t, filepath.Join(dir, archiveName), pack(t, files))
		}, "", archiveName},
	} {
		t.Run(form.name, func(t *testing.T) {
			dir := t.TempDir()
			form.make(t, dir)
			opts := Options{Dir: filepath.Join(dir, form.dir)}
			got, err := r.load(t.Context(), opts, Train, Test)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[Split]*Dataset{Train: train, Test: test}, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			location, err := r.verify(t.Context(), opts.Dir)
			if want := filepath.Join(dir, form.want); err != nil || location != want {
				t.Errorf("verify found %s, %v, want %s", location, err, want)
			}
		})
	}
}

func TestLoadSplitNeedsItsFilesOnly(t *testing.T) {
	r, files, _, test := tiny(t)
	dir := t.TempDir()
	unpack(t, dir, files[5:])
	got, err := r.load(t.Context(), Options{Dir: dir}, Test)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[Split]*Dataset{Test: test}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// edited returns a copy of files in which the one at position i is changed.
func edited(files []entry, i int, edit func(data []byte) []byte) []entry {
	files = slices.Clone(files)
	files[i].data = edit(bytes.Clone(files[i].data))
	return files
}

func TestLoadErrors(t *testing.T) {
	r, files, _, _ := tiny(t)
	short := edited(files, 0, func(data []byte) []byte { return data[1:] })
	long := edited(files, 5, func(data []byte) []byte { return append(data, 0) })
	label := edited(files, 1, func(data []byte) []byte {
		data[1*recordSize] = 10
		data[2*recordSize] = 255
		return data
	})
	pixel := edited(files, 4, func(data []byte) []byte {
		data[2*recordSize+1] ^= 1
		return data
	})
	const (
		remedy  = "put cifar-10-binary.tar.gz into data, set CAMLAB_DATA to a folder that has it, or use the embedded sample"
		archive = "data/" + archiveName
	)
	packed := pack(t, files)
	sums := func(files []entry) string {
		return "sha256 " + sum(files[4].data) + ", want " + r.batches[4].sha256
	}
	for _, test := range []struct {
		name string
		make func(t *testing.T)
		kind error
		want string
	}{
		{"nothing there", func(t *testing.T) {},
			ErrNoData, "cifar10: data: no CIFAR-10 here, want the archive or its six .bin files: allow the download, or " + remedy},
		{"empty folder", func(t *testing.T) { write(t, "data/unrelated.txt", nil) },
			ErrNoData, "cifar10: data: no CIFAR-10 here, want the archive or its six .bin files: allow the download, or " + remedy},
		{"missing file", func(t *testing.T) { unpack(t, "data", slices.Delete(slices.Clone(files), 1, 2)) },
			ErrMissing, "cifar10: data/data_batch_2.bin: file missing, want all six .bin files"},
		{"missing file in the inner folder", func(t *testing.T) { unpack(t, "data/"+folderName, files[:5]) },
			ErrMissing, "cifar10: data/cifar-10-batches-bin/test_batch.bin: file missing, want all six .bin files"},
		{"missing file in the archive", func(t *testing.T) { write(t, archive, pack(t, files[1:])) },
			ErrMissing, "cifar10: data/cifar-10-binary.tar.gz: data_batch_1.bin: file missing, want all six .bin files"},
		{"file too short", func(t *testing.T) { unpack(t, "data", short) },
			ErrSize, "cifar10: data/data_batch_1.bin: 9218 bytes, want 9219 (3 records of 3073)"},
		{"file too long", func(t *testing.T) { unpack(t, "data", long) },
			ErrSize, "cifar10: data/test_batch.bin: 9220 bytes, want 9219 (3 records of 3073)"},
		{"file too long in the archive", func(t *testing.T) { write(t, archive, pack(t, long)) },
			ErrSize, "cifar10: data/cifar-10-binary.tar.gz: test_batch.bin: 9220 bytes, want 9219 (3 records of 3073)"},
		{"label above 9", func(t *testing.T) { unpack(t, "data", label) },
			ErrLabel, "cifar10: data/data_batch_2.bin: record 1: label 10, want 0 to 9"},
		{"label above 9 in the archive", func(t *testing.T) { write(t, archive, pack(t, label)) },
			ErrLabel, "cifar10: data/cifar-10-binary.tar.gz: data_batch_2.bin: record 1: label 10, want 0 to 9"},
		{"one bit of one pixel", func(t *testing.T) { unpack(t, "data", pixel) },
			ErrChecksum, "cifar10: data/data_batch_5.bin: " + sums(pixel)},
		{"one bit of one pixel in the archive", func(t *testing.T) { write(t, archive, pack(t, pixel)) },
			ErrChecksum, "cifar10: data/cifar-10-binary.tar.gz: data_batch_5.bin: " + sums(pixel)},
		{"the earliest error wins", func(t *testing.T) {
			write(t, archive, pack(t, append(label[:2:2], long[2:]...)))
		}, ErrLabel, "cifar10: data/cifar-10-binary.tar.gz: data_batch_2.bin: record 1: label 10, want 0 to 9"},
		{"archive cut in a record", func(t *testing.T) { write(t, archive, packed[:len(packed)*9/20]) },
			ErrTruncated, "cifar10: data/cifar-10-binary.tar.gz: data_batch_3.bin: record 2: the archive ends here, want all six .bin files in full"},
		{"archive cut in its header", func(t *testing.T) { write(t, archive, packed[:5]) },
			ErrTruncated, "cifar10: data/cifar-10-binary.tar.gz: the archive ends here, want all six .bin files in full"},
		{"archive empty", func(t *testing.T) { write(t, archive, nil) },
			ErrTruncated, "cifar10: data/cifar-10-binary.tar.gz: the archive ends here, want all six .bin files in full"},
		{"archive not gzip", func(t *testing.T) { write(t, archive, []byte("<!DOCTYPE html>")) },
			ErrArchive, "cifar10: data/cifar-10-binary.tar.gz: gzip: invalid header, want a gzipped tar archive"},
		{"archive not tar", func(t *testing.T) { write(t, archive, zip(t, bytes.Repeat([]byte("no tar "), 100))) },
			ErrArchive, "cifar10: data/cifar-10-binary.tar.gz: archive/tar: invalid tar header, want a gzipped tar archive"},
		{"file twice in the archive", func(t *testing.T) { write(t, archive, pack(t, append(files[:1:1], files...))) },
			ErrArchive, "cifar10: data/cifar-10-binary.tar.gz: data_batch_1.bin: in the archive twice, want once"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			test.make(t)
			sets, err := r.load(t.Context(), Options{Dir: "data"}, Train, Test)
			if err == nil || filepath.ToSlash(err.Error()) != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
			var e *Error
			if !errors.Is(err, test.kind) || !errors.As(err, &e) {
				t.Errorf("%T matches not %v or no *Error", err, test.kind)
			}
			if sets != nil {
				t.Error("data beside an error")
			}
		})
	}
}

// TestKindsAreDistinct keeps one error from passing for another.
func TestKindsAreDistinct(t *testing.T) {
	kinds := []error{ErrNoData, ErrMissing, ErrSize, ErrTruncated, ErrArchive, ErrLabel, ErrChecksum, ErrDownload}
	for i, a := range kinds {
		for j, b := range kinds {
			if got := errors.Is(&Error{Kind: a}, b); got != (i == j) {
				t.Errorf("an error of kind %q is %q: %v", a, b, got)
			}
		}
	}
}

func TestLoadStopsWhenCancelled(t *testing.T) {
	r, files, _, _ := tiny(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	t.Chdir(t.TempDir())
	unpack(t, "files", files)
	write(t, "archive", pack(t, files))
	for _, test := range []struct{ dir, want string }{
		{"files", "cifar10: files/data_batch_1.bin: context canceled"},
		{"archive", "cifar10: archive: context canceled"},
	} {
		_, err := r.load(ctx, Options{Dir: test.dir}, Train, Test)
		if err == nil || filepath.ToSlash(err.Error()) != test.want || !errors.Is(err, context.Canceled) {
			t.Errorf("got  %v\nwant %s", err, test.want)
		}
	}
}

// TestDefaultDir protects the order of the lookup: option, CAMLAB_DATA, cache.
func TestDefaultDir(t *testing.T) {
	r, files, train, _ := tiny(t)
	dir := t.TempDir()
	unpack(t, filepath.Join(dir, "env"), files)
	t.Setenv("HOME", "")
	t.Setenv("LocalAppData", "")
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	t.Setenv("CAMLAB_DATA", "")
	if got, err := DefaultDir(); err != nil || got != filepath.Join(dir, "cache", "camlab", "cifar10") {
		t.Errorf("without CAMLAB_DATA: %s, %v", got, err)
	}
	t.Setenv("CAMLAB_DATA", filepath.Join(dir, "env"))
	if got, err := DefaultDir(); err != nil || got != filepath.Join(dir, "env") {
		t.Errorf("with CAMLAB_DATA: %s, %v", got, err)
	}
	sets, err := r.load(t.Context(), Options{}, Train)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(train, sets[Train]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := r.load(t.Context(), Options{Dir: filepath.Join(dir, "none")}, Train); !errors.Is(err, ErrNoData) {
		t.Errorf("an option that leads nowhere gives %v, want no search elsewhere", err)
	}
	t.Setenv("CAMLAB_DATA", "")
	t.Setenv("XDG_CACHE_HOME", "")
	_, err = DefaultDir()
	if want := "cifar10: no cache folder (neither $XDG_CACHE_HOME nor $HOME are defined), want a data folder or CAMLAB_DATA"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if _, _, err := Load(Options{}); err == nil {
		t.Error("data from nowhere")
	}
}

func TestLoadSplitOfAnotherName(t *testing.T) {
	_, err := LoadSplit(t.Context(), Options{}, "validation")
	if want := `cifar10: split "validation", want "train" or "test"`; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestUnreadableFolder(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root reads every folder")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0); err != nil {
		t.Fatal(err)
	}
	_, _, err := Load(Options{Dir: filepath.Join(dir, "data")})
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v, want a permission error", err)
	}
}

// loadReal reads the real release, once for all tests.
func loadReal(t *testing.T) (train, test *Dataset) {
	t.Helper()
	realDir = shared.Data(t)
	sets, err := realSets()
	if err != nil {
		t.Fatal(err)
	}
	return sets[0], sets[1]
}

var (
	realDir  string
	realSets = sync.OnceValues(func() ([2]*Dataset, error) {
		train, test, err := Load(Options{Dir: realDir})
		return [2]*Dataset{train, test}, err
	})
)

func TestLoadReal(t *testing.T) {
	train, test := loadReal(t)
	if train.Len() != 50_000 || test.Len() != 10_000 {
		t.Errorf("%d and %d images, want 50,000 and 10,000", train.Len(), test.Len())
	}
	for _, d := range []*Dataset{train, test} {
		var count [NumClasses]int
		for _, label := range d.Labels {
			count[label]++
		}
		for class, n := range count { // both splits are balanced
			if n != d.Len()/NumClasses {
				t.Errorf("%s: %s: %d images, want %d", d.Split, Classes[class], n, d.Len()/NumClasses)
			}
		}
		if last := d.Index[d.Len()-1]; last != d.Len()-1 {
			t.Errorf("%s: last index %d, want %d", d.Split, last, d.Len()-1)
		}
	}
}
