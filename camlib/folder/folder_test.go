package folder_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/camlab-go/camlab/camlib/folder"
	"github.com/camlab-go/camlab/camlib/images"
)

var size = folder.Options{Size: images.Size{Height: 4, Width: 6, Channels: 3}}

// picture is a file of w×h pixels of a color; a JPEG if its name says so.
func picture(t *testing.T, path string, w, h int, c color.Color) {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.Set(x, y, c)
		}
	}
	var b bytes.Buffer
	err := png.Encode(&b, img)
	if filepath.Ext(path) == ".jpg" {
		b.Reset()
		err = jpeg.Encode(&b, img, &jpeg.Options{Quality: 100})
	}
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, b.Bytes())
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// pets is a folder of six pictures of three classes.
func pets(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	red, blue := color.NRGBA{R: 255, A: 255}, color.NRGBA{B: 255, A: 255}
	picture(t, filepath.Join(dir, "dog", "b.png"), 9, 9, red)
	picture(t, filepath.Join(dir, "dog", "a.jpg"), 40, 10, blue)
	picture(t, filepath.Join(dir, "cat", "more", "deep", "1.png"), 3, 30, blue)
	picture(t, filepath.Join(dir, "cat", "x.PNG"), 6, 4, red)
	picture(t, filepath.Join(dir, "10", "x.png"), 1, 1, color.Gray{Y: 90})
	picture(t, filepath.Join(dir, "9", "x.png"), 1, 1, color.Gray{Y: 200})
	// What is passed over.
	write(t, filepath.Join(dir, "cat", "notes.txt"), []byte("no picture"))
	write(t, filepath.Join(dir, "cat", "._x.png"), []byte("no picture"))
	write(t, filepath.Join(dir, "cat", ".thumbnails", "x.png"), []byte("no picture"))
	write(t, filepath.Join(dir, ".git", "x.png"), []byte("no picture"))
	write(t, filepath.Join(dir, "README.md"), []byte("pets"))
	return dir
}

func pathsOf(d *folder.Dataset, dir string) (paths []string) {
	for i := range d.Len() {
		rel, err := filepath.Rel(dir, d.Path(i))
		if err != nil {
			rel = err.Error()
		}
		paths = append(paths, filepath.ToSlash(rel))
	}
	return paths
}

func TestOpen(t *testing.T) {
	dir := pets(t)
	d, err := folder.Open(dir, size)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := d.Classes(), []string{"9", "10", "cat", "dog"}; !slices.Equal(got, want) {
		t.Errorf("classes %q, want %q: numbers by value, then names", got, want)
	}
	if got, want := pathsOf(d, dir), []string{"9/x.png", "10/x.png", "cat/more/deep/1.png", "cat/x.PNG", "dog/a.jpg", "dog/b.png"}; !slices.Equal(got, want) {
		t.Errorf("pictures %q, want %q", got, want)
	}
	if got, want := images.Labels(d), []int{0, 1, 2, 2, 3, 3}; !slices.Equal(got, want) {
		t.Errorf("labels %v, want %v", got, want)
	}
	if got, want := d.String(), "6 pictures, as images of "+size.Size.String()+": 1 9, 1 10, 2 cat, 2 dog"; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
	if err := images.CheckDataset(d); err != nil || d.Size() != size.Size {
		t.Errorf("size %s, %v", d.Size(), err)
	}
	all, err := images.Pixels(d)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []color.NRGBA{{200, 200, 200, 0}, {90, 90, 90, 0}, {B: 255}, {R: 255}, {B: 254}, {R: 255}} {
		if pixel := all[i*72+69:][:3]; pixel[0] != want.R || pixel[1] != want.G || pixel[2] != want.B {
			t.Errorf("%s: last pixel %v, want %v", d.Path(i), pixel, want)
		}
	}
}

// TestCrop is that the largest centered part of the size's proportions is taken.
func TestCrop(t *testing.T) {
	dir := t.TempDir()
	img := image.NewNRGBA(image.Rect(0, 0, 30, 8)) // of 30 columns 12 are taken, 9 to 20
	for y := range 8 {
		for x := range 30 {
			c := color.NRGBA{G: 255, A: 255}
			if x < 9 || x > 20 {
				c = color.NRGBA{R: 255, A: 255}
			}
			img.SetNRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "c", "x.png"), b.Bytes())
	for channels, want := range map[int][]uint8{3: {0, 255, 0}, 1: {150}} {
		d, err := folder.Open(dir, folder.Options{Size: images.Size{Height: 4, Width: 6, Channels: channels}})
		if err != nil {
			t.Fatal(err)
		}
		pixels := make([]uint8, d.Size().Values())
		if err := d.Read(0, pixels); err != nil {
			t.Fatal(err)
		}
		for p := range slices.Chunk(pixels, channels) {
			if !slices.Equal(p, want) {
				t.Fatalf("%d channels: pixel %v, want %v everywhere", channels, p, want)
			}
		}
	}
	stretched, err := folder.Open(dir, folder.Options{Size: size.Size, Preparation: images.Preparation{Fit: images.Stretch}})
	if err != nil {
		t.Fatal(err)
	}
	pixels := make([]uint8, size.Size.Values())
	if err := stretched.Read(0, pixels); err != nil {
		t.Fatal(err)
	}
	if red, green := pixels[0], pixels[3*3+1]; red < 250 || green < 250 {
		t.Errorf("stretched: %v, want red at the left and green in the middle", pixels[:18])
	}
}

func TestGivenClasses(t *testing.T) {
	o := size
	o.Classes = []string{"dog", "10", "cat", "9"}
	d, err := folder.Open(pets(t), o)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := images.Labels(d), []int{0, 0, 1, 2, 2, 3}; !slices.Equal(got, want) || !slices.Equal(d.Classes(), o.Classes) {
		t.Errorf("labels %v of classes %q, want %v in the order that was given", got, d.Classes(), want)
	}
}

func TestOpenFollowsLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege on Windows")
	}
	dir, here := pets(t), t.TempDir()
	for name, to := range map[string]string{"dog": filepath.Join(dir, "dog"), "cat": filepath.Join(dir, "cat", "more")} {
		if err := os.Symlink(to, filepath.Join(here, name)); err != nil {
			t.Fatal(err)
		}
	}
	d, err := folder.Open(here, size)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := pathsOf(d, here), []string{"cat/deep/1.png", "dog/a.jpg", "dog/b.png"}; !slices.Equal(got, want) {
		t.Errorf("pictures %q, want %q", got, want)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	for _, test := range []struct {
		what, want string
		change     func(t *testing.T, dir string, o *folder.Options)
	}{
		{"no folder", "no such file or directory, want a folder with a folder of pictures for each class", func(t *testing.T, dir string, o *folder.Options) { remove(t, dir) }},
		{"nothing in it", ": no folders in it, want one of pictures for each class", func(t *testing.T, dir string, o *folder.Options) {
			for _, name := range []string{"dog", "cat", "9", "10"} {
				remove(t, filepath.Join(dir, name))
			}
		}},
		{"class without images", "folder: class bird: no .png, .jpg, .gif, .webp, .bmp or .tiff in ", func(t *testing.T, dir string, o *folder.Options) {
			write(t, filepath.Join(dir, "bird", "list.txt"), nil)
		}},
		{"picture beside the classes", "lost.png: a picture of no class, want it in a folder of its class's name", func(t *testing.T, dir string, o *folder.Options) {
			picture(t, filepath.Join(dir, "lost.png"), 1, 1, color.White)
		}},
		{"no picture", "b.png: an unknown format, want a PNG, JPEG, GIF, WebP, BMP or TIFF picture", func(t *testing.T, dir string, o *folder.Options) {
			write(t, filepath.Join(dir, "dog", "b.png"), []byte("text"))
		}},
		{"several", "folder: 2 of 6 pictures cannot be used, want them mended or elsewhere:\nimages: read: ", func(t *testing.T, dir string, o *folder.Options) {
			write(t, filepath.Join(dir, "dog", "b.png"), []byte("text"))
			write(t, filepath.Join(dir, "cat", "x.PNG"), nil)
		}},
		{"class twice", `folder: class "cat" twice, want every class once`, func(t *testing.T, dir string, o *folder.Options) { o.Classes = []string{"cat", "dog", "cat"} }},
		{"unknown class", `x.png is of class "9", want one of cat, dog, 10`, func(t *testing.T, dir string, o *folder.Options) { o.Classes = []string{"cat", "dog", "10"} }},
		{"class that has none", "class bird has no pictures, want at least one", func(t *testing.T, dir string, o *folder.Options) {
			o.Classes = []string{"cat", "dog", "10", "9", "bird"}
		}},
		{"no size", "folder: size 0×0×0, want at least 1×1, in 1 or 3 channels", func(t *testing.T, dir string, o *folder.Options) { o.Size = images.Size{} }},
		{"channels", "folder: size 4×6×4, want at least 1×1, in 1 or 3 channels", func(t *testing.T, dir string, o *folder.Options) { o.Size.Channels = 4 }},
		{"too long", "folder: images: preparation: to 6×20000, want 1 to 16384 pixels a side", func(t *testing.T, dir string, o *folder.Options) { o.Size.Height = 20000 }},
		{"preparation", "folder: images: preparation: short side of 8 with fit crop, want 0, or fit short-side", func(t *testing.T, dir string, o *folder.Options) { o.Preparation.ShortSide = 8 }},
		{"cache", "folder: cache of -2 bytes, want -1 for none", func(t *testing.T, dir string, o *folder.Options) { o.Cache = -2 }},
		{"too large", "a.jpg: picture too large: 40×10 pixels, want at most 399", func(t *testing.T, dir string, o *folder.Options) { o.Read.MaxPixels = 399 }},
	} {
		dir, o := pets(t), size
		test.change(t, dir, &o)
		if _, err := folder.Open(dir, o); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.what, err, test.want)
		}
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

// TestDamagedFurtherOn is that a picture whose header is whole is an error where it is
// read, and that Verify finds it before.
func TestDamagedFurtherOn(t *testing.T) {
	dir := pets(t)
	path := filepath.Join(dir, "dog", "b.png")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, whole[:len(whole)-20])
	d, err := folder.Open(dir, size)
	if err != nil {
		t.Fatal(err)
	}
	const want = "b.png: png: invalid format: unexpected EOF, want a PNG"
	if err := d.Verify(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Verify: %v, want %q", err, want)
	}
	pixels := make([]uint8, size.Size.Values())
	if err := d.Read(5, pixels); err == nil || !strings.HasPrefix(err.Error(), "folder: ") || !strings.Contains(err.Error(), want) {
		t.Errorf("Read: %v, want %q", err, want)
	}
	if err := d.Read(4, pixels); err != nil {
		t.Errorf("the picture beside it: %v", err)
	}
	write(t, path, whole)
	if err := d.Verify(); err != nil {
		t.Errorf("mended: %v", err)
	}
}

// TestCacheIsBounded takes the files away: what is still read was held in memory.
func TestCacheIsBounded(t *testing.T) {
	each := int64(size.Size.Values())
	for bytes, want := range map[int64]int{-1: 0, 1: 0, 2 * each: 2, 5*each - 1: 4, 0: 6} {
		dir, o := pets(t), size
		o.Cache = bytes
		d, err := folder.Open(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		var before [][]uint8
		for i := range d.Len() {
			pixels := make([]uint8, each)
			if err := d.Read(i, pixels); err != nil {
				t.Fatal(err)
			}
			before = append(before, slices.Clone(pixels))
			clear(pixels) // the caller's, not the cache's
		}
		remove(t, dir)
		held := 0
		for i := range d.Len() {
			pixels := make([]uint8, each)
			if d.Read(i, pixels) == nil {
				if held++; !slices.Equal(pixels, before[i]) {
					t.Errorf("cache of %d bytes: image %d is another than before", bytes, i)
				}
			}
		}
		if held != want {
			t.Errorf("cache of %d bytes holds %d images of %d bytes, want %d", bytes, held, each, want)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	d, err := folder.Open(pets(t), size)
	if err != nil {
		t.Fatal(err)
	}
	want, err := images.Pixels(d)
	if err != nil {
		t.Fatal(err)
	}
	o := size
	o.Cache = 3 * int64(size.Size.Values())
	if d, err = folder.Open(filepath.Dir(filepath.Dir(d.Path(0))), o); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if got, err := images.Pixels(d); err != nil || !slices.Equal(got, want) {
				t.Errorf("other pixels, %v", err)
			}
		})
	}
	all.Wait()
}

func TestOpenCSV(t *testing.T) {
	dir := pets(t)
	list := filepath.Join(dir, "list.csv")
	write(t, list, []byte("\ufeffLabel ,author, path\r\npet,\"Sato, K.\", dog/a.jpg\n\"pet\",,cat/x.PNG\nnumber,x,9/x.png\nnumber,y,"+filepath.Join(dir, "10", "x.png")+"\n"))
	d, err := folder.OpenCSV(list, size)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := pathsOf(d, dir), []string{"9/x.png", "10/x.png", "dog/a.jpg", "cat/x.PNG"}; !slices.Equal(got, want) {
		t.Errorf("pictures %q, want %q", got, want)
	}
	if got := images.Labels(d); !slices.Equal(got, []int{0, 0, 1, 1}) || !slices.Equal(d.Classes(), []string{"number", "pet"}) {
		t.Errorf("labels %v of %q", got, d.Classes())
	}
	for _, test := range []struct{ what, text, want string }{
		{"empty", "", `its first line is "", want the names of columns, path and label among them`},
		{"no header", "dog/a.jpg,pet\n", `its first line is "dog/a.jpg,pet", want the names`},
		{"no lines", "path,label\n", "no pictures, want a path and a label on each line after the first"},
		{"no label", "path,label\ndog/a.jpg,\n", `line 2: path "dog/a.jpg", label "", want both`},
		{"fewer fields", "path,label\ndog/a.jpg,pet\n\ncat/x.PNG\n", "line 4: wrong number of fields"},
		{"quotes", "path,label\n\"dog/a.jpg,pet\n", `extraneous or missing " in quoted-field`},
		{"twice", "path,label\ndog/a.jpg,pet\ncat/x.PNG,pet\n" + dir + "/dog/../dog/a.jpg,other\n", "line 4: " + filepath.Join(dir, "dog", "a.jpg") + ", which line 2 has too, want every picture once"},
		{"no picture by its name", "path,label\ncat/notes.txt,pet\n", "line 2: cat/notes.txt, want a .png"},
		{"not there", "path,label\ndog/zebra.png,pet\n", "zebra.png: no such file or directory"},
	} {
		write(t, list, []byte(test.text))
		_, err := folder.OpenCSV(list, size)
		if err == nil || !strings.HasPrefix(err.Error(), "folder: ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.what, err, test.want)
		}
	}
	if _, err := folder.OpenCSV(filepath.Join(dir, "none.csv"), size); err == nil || !strings.Contains(err.Error(), "no such file or directory, want a CSV file of paths and labels") {
		t.Errorf("no file: %v", err)
	}
}

// many is a folder of 13 pictures of class a, 30 of b and 3 of c.
func many(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for class, n := range map[string]int{"a": 13, "b": 30, "c": 3} {
		for i := range n {
			picture(t, filepath.Join(dir, class, fmt.Sprintf("%02d.png", i)), 1, 1, color.Gray{Y: uint8(i)})
		}
	}
	return dir
}

func TestSplit(t *testing.T) {
	dir := many(t)
	d, err := folder.Open(dir, size)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := d.Split(7, 0.8, 0.1, 0.1)
	if err != nil {
		t.Fatal(err)
	}
	// 13 are 10.4, 1.3 and 1.3; 30 are 24, 3 and 3; 3 are one each.
	seen := make(map[string]int)
	for p, want := range []map[int]int{{0: 11, 1: 24, 2: 1}, {0: 1, 1: 3, 2: 1}, {0: 1, 1: 3, 2: 1}} {
		counts := make(map[int]int)
		for i := range parts[p].Len() {
			counts[parts[p].Label(i)]++
			seen[parts[p].Path(i)]++
		}
		if !reflect.DeepEqual(counts, want) {
			t.Errorf("part %d has %v images of the classes, want %v", p, counts, want)
		}
		if err := images.CheckDataset(parts[p]); err != nil {
			t.Error(err)
		}
	}
	if len(seen) != 46 {
		t.Errorf("%d images in all parts, want 46", len(seen))
	}
	for path, n := range seen {
		if n != 1 {
			t.Errorf("%s is in %d parts", path, n)
		}
	}
	// The pixels are those of the picture at that path.
	pixels := make([]uint8, size.Size.Values())
	for i := range parts[1].Len() {
		if err := parts[1].Read(i, pixels); err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("%02d.png", pixels[0]); filepath.Base(parts[1].Path(i)) != want {
			t.Errorf("%s holds the pixels of %s", parts[1].Path(i), want)
		}
	}

	again, err := d.Split(7, 0.8, 0.1, 0.1)
	if err != nil {
		t.Fatal(err)
	}
	other, err := d.Split(8, 0.8, 0.1, 0.1)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(pathsOf(parts[0], dir), pathsOf(again[0], dir)) {
		t.Error("the same seed makes another split")
	}
	if slices.Equal(pathsOf(parts[0], dir), pathsOf(other[0], dir)) {
		t.Error("another seed makes the same split")
	}
	// Another class changes nothing of these.
	picture(t, filepath.Join(dir, "0", "x.png"), 1, 1, color.White)
	picture(t, filepath.Join(dir, "0", "y.png"), 1, 1, color.White)
	picture(t, filepath.Join(dir, "0", "z.png"), 1, 1, color.White)
	if d, err = folder.Open(dir, size); err != nil {
		t.Fatal(err)
	}
	more, err := d.Split(7, 0.8, 0.1, 0.1)
	if err != nil {
		t.Fatal(err)
	}
	if got := pathsOf(more[2], dir); !slices.Equal(got[1:], pathsOf(again[2], dir)) {
		t.Errorf("with one class more the test images are %q", got)
	}
	half, err := d.Split(7, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	if n := half[0].Len(); n != 2+7+15+2 {
		t.Errorf("half of 3, 13, 30 and 3 images are %d, want 26", n)
	}
}

func TestSplitSaysWhatIsWrong(t *testing.T) {
	d, err := folder.Open(many(t), size)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		fractions []float64
		want      string
	}{
		{nil, "folder: split: fractions [], want at least one, and at most 1 in all"},
		{[]float64{0.8, 0}, "folder: split: fractions [0.8 0], want each above 0 and at most 1"},
		{[]float64{0.8, -0.1}, "want each above 0 and at most 1"},
		{[]float64{0.8, 0.3}, "want at least one, and at most 1 in all"},
		{[]float64{0.4, 0.2, 0.2, 0.2}, "folder: split: class c has 3 images, want at least 4, one for each part"},
	} {
		if _, err := d.Split(1, test.fractions...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: error %v, want %q", test.fractions, err, test.want)
		}
	}
}
