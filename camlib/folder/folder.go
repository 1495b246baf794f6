// Package folder makes a data set of pictures on disk: a folder of pictures for each class
// ([Open]), or a CSV file of paths and labels ([OpenCSV]). [Dataset.Split] makes training,
// validation and test images of one.
//
// Pictures are read when their turn comes, and kept as far as the cache reaches.
package folder

import (
	"errors"
	"fmt"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/camlab-go/camlab/camlib/images"
)

// Options say what pictures become. Only Size is needed.
type Options struct {
	// Size of every image: three channels are red, green and blue, one is gray.
	Size images.Size
	// Preparation says how a picture is made to fit. Its Height and Width are those of
	// Size, whatever they are; else the zero value takes the largest centered part.
	Preparation images.Preparation
	// Read says how pictures are read: their background, and how large they may be.
	Read images.ReadOptions
	// Classes are the names in the order of their labels; nil is those that there are, in
	// order, whole numbers by their value. A class without pictures, or one that is not
	// among them, is an error.
	Classes []string
	// Cache is the memory for images that have been read, in bytes; 0 is 256 MB, -1 none.
	// The first that are read are kept, until it is full: a training reads all of them over
	// and over, where keeping the last ones would keep none.
	Cache int64
}

func (o Options) check() error {
	if s := o.Size; s.Height < 1 || s.Width < 1 || s.Channels != 1 && s.Channels != 3 {
		return fmt.Errorf("folder: size %s, want at least 1×1, in 1 or 3 channels", s)
	}
	if err := o.preparation().Check(); err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	if o.Cache < -1 {
		return fmt.Errorf("folder: cache of %d bytes, want -1 for none, 0 for 256 MB, or more", o.Cache)
	}
	for i, name := range o.Classes {
		if slices.Contains(o.Classes[:i], name) {
			return fmt.Errorf("folder: class %q twice, want every class once", name)
		}
	}
	return nil
}

// preparation is that of the size.
func (o Options) preparation() images.Preparation {
	p := o.Preparation
	p.Height, p.Width = o.Size.Height, o.Size.Width
	return p
}

// Dataset is pictures on disk as an [images.Dataset].
type Dataset struct {
	options Options
	classes []string
	files   []file
	cache   *cache
}

// file is a picture and its class.
type file struct {
	path  string
	label int
	slot  int // in the cache
}

// String says how many pictures there are of which classes.
func (d *Dataset) String() string {
	if d == nil || len(d.files) == 0 {
		return "no pictures"
	}
	counts := make([]int, len(d.classes))
	for _, f := range d.files {
		counts[f.label]++
	}
	text := fmt.Sprintf("%d pictures, as images of %s", len(d.files), d.options.Size)
	for c, n := range counts {
		text += fmt.Sprintf("%s%d %s", map[bool]string{true: ": ", false: ", "}[c == 0], n, d.classes[c])
	}
	return text
}

// Open returns the pictures of a folder that has a folder for each class, with the class's
// name: PNG, JPEG, GIF, WebP, BMP and TIFF, by the ending of their names, in the order of
// classes and names. A class's folder may have folders of its own, whose pictures are the
// class's too. Names that begin with a dot, and files of other endings, are passed over.
//
// It looks at the header of every picture, and fails, naming the files, for those that
// cannot be read, for a class without pictures, and for pictures beside the classes.
func Open(dir string, o Options) (*Dataset, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("folder: %w, want a folder with a folder of pictures for each class", err)
	}
	var labeled []pair
	var found []string
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if hidden(e.Name()) {
			continue
		}
		info, err := os.Stat(path) // of what a link leads to
		if err != nil {
			return nil, fmt.Errorf("folder: %w, want what can be read", err)
		}
		if !info.IsDir() {
			if images.IsPicture(e.Name()) {
				return nil, fmt.Errorf("folder: %s: a picture of no class, want it in a folder of its class's name", path)
			}
			continue
		}
		pictures, err := picturesIn(path)
		if err != nil {
			return nil, fmt.Errorf("folder: class %s: %w", e.Name(), err)
		}
		if len(pictures) == 0 {
			return nil, fmt.Errorf("folder: class %s: no .png, .jpg, .gif, .webp, .bmp or .tiff in %s, want at least one, or no folder", e.Name(), path)
		}
		found = append(found, e.Name())
		for _, p := range pictures {
			labeled = append(labeled, pair{p, e.Name()})
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("folder: %s: no folders in it, want one of pictures for each class", dir)
	}
	return open(dir, labeled, o)
}

// pair is a path and the name of its class.
type pair struct{ path, class string }

// picturesIn returns the pictures of a folder and those below it, in order.
func picturesIn(dir string) (paths []string, err error) {
	real, err := filepath.EvalSymlinks(dir) // a walk does not begin at a link
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(real, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path != real && hidden(e.Name()) && e.IsDir():
			return fs.SkipDir
		case !e.IsDir() && !hidden(e.Name()) && images.IsPicture(e.Name()):
			rel, err := filepath.Rel(real, path)
			if err != nil {
				return err
			}
			paths = append(paths, filepath.Join(dir, rel))
		}
		return nil
	})
	return paths, err
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") }

// open returns the data set of some pictures, of which there is at least one.
func open(where string, labeled []pair, o Options) (*Dataset, error) {
	d := &Dataset{options: o, classes: slices.Clone(o.Classes)}
	if d.classes == nil {
		for _, p := range labeled {
			d.classes = append(d.classes, p.class)
		}
		slices.SortFunc(d.classes, byValue)
		d.classes = slices.Compact(d.classes)
	}
	labels, counts := make(map[string]int), make([]int, len(d.classes))
	for i, name := range d.classes {
		labels[name] = i
	}
	for _, p := range labeled {
		label, ok := labels[p.class]
		if !ok {
			return nil, fmt.Errorf("folder: %s: %s is of class %q, want one of %s", where, p.path, p.class, strings.Join(d.classes, ", "))
		}
		counts[label]++
		d.files = append(d.files, file{path: p.path, label: label})
	}
	for i, n := range counts {
		if n == 0 {
			return nil, fmt.Errorf("folder: %s: class %s has no pictures, want at least one", where, d.classes[i])
		}
	}
	slices.SortStableFunc(d.files, func(a, b file) int { return a.label - b.label })
	for i := range d.files {
		d.files[i].slot = i
	}
	if err := d.each(func(i int) error { return o.Read.Check(d.files[i].path) }); err != nil {
		return nil, err
	}
	d.cache = newCache(o.Cache, len(d.files), o.Size.Values())
	return d, nil
}

// byValue orders names, whole numbers by their value and before other names.
func byValue(a, b string) int {
	x, errX := strconv.Atoi(a)
	y, errY := strconv.Atoi(b)
	switch {
	case errX == nil && errY == nil && x != y:
		return x - y
	case errX == nil && errY != nil:
		return -1
	case errX != nil && errY == nil:
		return 1
	}
	return strings.Compare(a, b)
}

// each does something with every image, several at once, and joins what goes wrong into
// one error, of which it names ten files at most.
func (d *Dataset) each(do func(i int) error) error {
	errs := make([]error, len(d.files))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range d.files {
		group.Go(func() error {
			errs[i] = do(i)
			return nil
		})
	}
	_ = group.Wait()
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	switch n := len(errs); n {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("folder: %w", errs[0])
	default:
		return fmt.Errorf("folder: %d of %d pictures cannot be used, want them mended or elsewhere:\n%w", n, len(d.files), errors.Join(errs[:min(n, 10)]...))
	}
}

// Verify reads every picture whole, as [Open], which looks at headers, does not: one that
// is damaged further on is found here, and not in the middle of the work. The error names
// all of them, up to ten. What it reads goes into the cache.
func (d *Dataset) Verify() error {
	return d.each(func(i int) error {
		_, err := d.image(i)
		return err
	})
}

// Len returns the number of images.
func (d *Dataset) Len() int { return len(d.files) }

// Size returns the size of every image, as the options have it.
func (d *Dataset) Size() images.Size { return d.options.Size }

// Classes returns the names of the classes, in the order of their labels.
func (d *Dataset) Classes() []string { return slices.Clone(d.classes) }

// Label returns the class of image i.
func (d *Dataset) Label(i int) int { return d.files[i].label }

// Path returns the file of image i.
func (d *Dataset) Path(i int) string { return d.files[i].path }

// Read puts image i into pixels. It fails, naming the file, when that cannot be read.
func (d *Dataset) Read(i int, pixels []uint8) error {
	image, err := d.image(i)
	if err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	copy(pixels, image)
	return nil
}

// image returns the pixels of image i, which must not be changed.
func (d *Dataset) image(i int) ([]uint8, error) {
	f := d.files[i]
	if pixels := d.cache.get(f.slot); pixels != nil {
		return pixels, nil
	}
	photo, err := d.options.Read.Read(f.path)
	if err != nil {
		return nil, err
	}
	picture, _, err := d.options.preparation().Picture(photo)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	pixels := d.options.pixels(picture)
	d.cache.put(f.slot, pixels)
	return pixels, nil
}

// pixels returns the channels of a picture of the right size.
func (o Options) pixels(picture *image.NRGBA) []uint8 {
	pixels := make([]uint8, 0, o.Size.Values())
	for y := range o.Size.Height {
		for x := range o.Size.Width {
			p := picture.Pix[picture.PixOffset(picture.Rect.Min.X+x, picture.Rect.Min.Y+y):]
			if o.Size.Channels == 3 {
				pixels = append(pixels, p[:3]...)
			} else { // as image/color has it: gray pixels keep their value
				pixels = append(pixels, uint8((19595*uint32(p[0])+38470*uint32(p[1])+7471*uint32(p[2])+1<<15)>>16))
			}
		}
	}
	return pixels
}
