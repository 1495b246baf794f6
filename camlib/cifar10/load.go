package cifar10

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
)

// Options say where the data is. The zero value reads from [DefaultDir], and
// downloads nothing.
type Options struct {
	Dir      string                  // folder, or path of the archive; "" is DefaultDir
	Download bool                    // fetch the archive, 170 MB, into Dir when nothing is there
	URL      string                  // address of the archive; "" is the official one
	Client   *http.Client            // nil is http.DefaultClient
	Progress func(done, total int64) // called during a download, in bytes, by the goroutine that called Load; may be nil
}

// DefaultDir returns the folder that is used when none is given: the
// environment variable CAMLAB_DATA, else camlab/cifar10 in the user's cache
// folder. It fails when there is neither.
func DefaultDir() (string, error) {
	if dir := os.Getenv("CAMLAB_DATA"); dir != "" {
		return dir, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cifar10: no cache folder (%w), want a data folder or CAMLAB_DATA", err)
	}
	return filepath.Join(cache, "camlab", "cifar10"), nil
}

// Load reads all images: 50,000 to train on and 10,000 to test on. The files
// may lie in opts.Dir itself, in its folder cifar-10-batches-bin, or in its
// cifar-10-binary.tar.gz. Load checks the size, the labels and the sha256 of
// every file, and fails with an [*Error] when one is wrong.
func Load(opts Options) (train, test *Dataset, err error) {
	return LoadContext(context.Background(), opts)
}

// LoadContext is [Load] with a context that can cancel it.
func LoadContext(ctx context.Context, opts Options) (train, test *Dataset, err error) {
	sets, err := official.load(ctx, opts, Train, Test)
	if err != nil {
		return nil, nil, err
	}
	return sets[Train], sets[Test], nil
}

// LoadSplit is [LoadContext] for one split, which takes less time and memory.
func LoadSplit(ctx context.Context, opts Options, split Split) (*Dataset, error) {
	if split != Train && split != Test {
		return nil, fmt.Errorf("cifar10: split %q, want %q or %q", split, Train, Test)
	}
	sets, err := official.load(ctx, opts, split)
	if err != nil {
		return nil, err
	}
	return sets[split], nil
}

// Verify checks the size and sha256 of all six files in dir, which is read as
// [Options].Dir is, and returns the folder or archive that it found them in.
func Verify(ctx context.Context, dir string) (string, error) {
	return official.verify(ctx, dir)
}

// load reads the given splits.
func (r *release) load(ctx context.Context, opts Options, splits ...Split) (map[Split]*Dataset, error) {
	want := r.of(splits...)
	location, err := r.prepare(ctx, opts, want)
	if err != nil {
		return nil, err
	}
	sets := make(map[Split]*Dataset)
	for _, s := range splits {
		sets[s] = newDataset(s, len(r.of(s))*r.records)
	}
	err = r.read(ctx, location, want, func(b batch, data []byte, file string) error {
		return r.decode(b, data, file, sets[b.split])
	})
	if err != nil {
		return nil, err
	}
	return sets, nil
}

// verify checks all files without decoding them.
func (r *release) verify(ctx context.Context, dir string) (string, error) {
	location, err := r.prepare(ctx, Options{Dir: dir}, r.batches)
	if err != nil {
		return "", err
	}
	return location, r.read(ctx, location, r.batches, checkSum)
}

// prepare returns the folder or archive that holds the wanted batches, after
// a download if there is none and opts ask for it.
func (r *release) prepare(ctx context.Context, opts Options, want []batch) (string, error) {
	dir := opts.Dir
	if dir == "" {
		var err error
		if dir, err = DefaultDir(); err != nil {
			return "", err
		}
	}
	location, err := locate(dir, want)
	if opts.Download && (errors.Is(err, ErrNoData) || errors.Is(err, ErrMissing)) {
		return r.download(ctx, dir, opts)
	}
	return location, err
}
