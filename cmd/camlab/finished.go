package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/figure"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/report"
	"github.com/camlab-go/camlab/internal/npy"
)

// finishedRun is what explain wrote into a folder, to be read.
type finishedRun struct {
	dir      string
	manifest *manifest
	records  []record // of the images, in the order of their rows
	failed   []record // of the pictures that could not be read
	k        int      // maps of an image by each method
	arrays   []*os.File
}

// openFinished opens a folder of at most so many images, in which all is there that its
// manifest promises.
func openFinished(dir string, most int) (_ *finishedRun, err error) {
	path := filepath.Join(dir, manifestFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, noRun(dir, err)
	}
	r := &finishedRun{dir: dir, manifest: &manifest{}}
	if err := json.Unmarshal(text, r.manifest); err != nil {
		return nil, fmt.Errorf("%s: %w, want what explain wrote", path, err)
	}
	if n := r.manifest.NumImages; n > most {
		return nil, fmt.Errorf("folder %s: %d images, want at most %d, more of which a browser would hardly show: explain parts of them with --shard, or allow more with --max-images", dir, n, most)
	}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	if err := r.openArrays(); err != nil {
		return nil, fmt.Errorf("%s: %w: want what explain wrote, so explain again", path, err)
	}
	if err := r.readRecords(); err != nil {
		return nil, fmt.Errorf("%s: %w: want what explain wrote, so explain again", filepath.Join(dir, recordsFile), err)
	}
	return r, r.findPictures()
}

// noRun says what is in a folder that has no manifest, and what to do.
func noRun(dir string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("no folder %s, want the one that `camlab explain --out` wrote into", dir)
	}
	if info, err := os.Stat(filepath.Join(dir, unfinished)); err == nil && info.IsDir() {
		return fmt.Errorf("folder %s: the run is not finished, want one that is: the same `camlab explain` goes on", dir)
	}
	if shards, err := filepath.Glob(filepath.Join(dir, "shard-*-of-*")); err == nil && len(shards) > 0 {
		return fmt.Errorf("folder %s holds %d shards, want one of them, such as %s", dir, len(shards), shards[0])
	}
	return fmt.Errorf("folder %s: no %s, want the folder that `camlab explain --out` wrote into", dir, manifestFile)
}

// openArrays opens the maps, which are as many and as large as the manifest says.
func (r *finishedRun) openArrays() error {
	m := r.manifest
	if m.NumImages < 1 || len(m.Maps) == 0 {
		return fmt.Errorf("%d images and %d arrays of maps", m.NumImages, len(m.Maps))
	}
	for _, f := range m.Maps {
		if n := len(f.Shape); n != 3 && n != 4 || slices.Min(f.Shape) < 1 || f.Shape[0] != m.NumImages || !filepath.IsLocal(f.File) {
			return fmt.Errorf("%s: shape %v of %d images", f.File, f.Shape, m.NumImages)
		}
		k := 1
		if len(f.Shape) == 4 {
			k = f.Shape[1]
		}
		if r.k == 0 {
			r.k = k
		}
		if k != r.k {
			return fmt.Errorf("%s: %d maps of an image, and %d in %s", f.File, k, r.k, m.Maps[0].File)
		}
		file, err := os.Open(filepath.Join(r.dir, f.File))
		if err != nil {
			return err
		}
		r.arrays = append(r.arrays, file)
		if info, err := file.Stat(); err != nil || info.Size() != f.size() {
			return fmt.Errorf("%s: not of %d bytes", f.File, f.size())
		}
	}
	return nil
}

// readRecords reads what is said of each image.
func (r *finishedRun) readRecords() error {
	m := r.manifest
	err := readRecords(filepath.Join(r.dir, recordsFile), func(rec record) error {
		if rec.Error != "" {
			r.failed = append(r.failed, rec)
			return nil
		}
		if rec.Row != len(r.records) || len(rec.Maps) != len(m.Maps) || r.explained(rec, r.k-1) == "" {
			return fmt.Errorf("image %s: row %d, %d methods, classes %q", rec.Name, rec.Row, len(rec.Maps), rec.Of)
		}
		for _, made := range rec.Maps {
			if len(made.Score) != r.k || len(made.Outcome) != r.k {
				return fmt.Errorf("image %s: %d scores and %d outcomes of %d maps", rec.Name, len(made.Score), len(made.Outcome), r.k)
			}
		}
		r.records = append(r.records, rec)
		return nil
	})
	if err == nil && (len(r.records) != m.NumImages || len(r.failed) != m.NumFailed) {
		err = fmt.Errorf("%d images and %d that could not be read, not %d and %d", len(r.records), len(r.failed), m.NumImages, m.NumFailed)
	}
	return err
}

// explained says what map k of an image explains, empty where that is not known.
func (r *finishedRun) explained(rec record, k int) string {
	class := rec.Class
	if k < len(rec.Of) {
		class = rec.Of[k]
	} else if r.k > 1 {
		return ""
	}
	if rec.Rival != "" {
		class += " not " + rec.Rival
	}
	return class
}

// findPictures fails if not all pictures are there.
func (r *finishedRun) findPictures() error {
	missing, first := 0, ""
	for _, rec := range r.records {
		switch n := len(rec.Pictures); n {
		case len(r.manifest.Maps) * r.k:
		case 0:
			return fmt.Errorf("folder %s: no pictures of image %s, want them: explain again without --pictures=false", r.dir, rec.Name)
		default:
			return fmt.Errorf("folder %s: %d pictures of image %s, want %d: explain again", r.dir, n, rec.Name, len(r.manifest.Maps)*r.k)
		}
		for _, name := range rec.Pictures {
			if !filepath.IsLocal(name) || !isFile(filepath.Join(r.dir, name)) {
				if missing++; first == "" {
					first = name
				}
			}
		}
	}
	if missing > 0 {
		return fmt.Errorf("folder %s: %d pictures are missing, the first is %s, want all of the run: explain again", r.dir, missing, first)
	}
	return nil
}

func (r *finishedRun) close() {
	for _, f := range r.arrays {
		f.Close()
	}
}

// draw returns the pictures of an image, cut out of those that explain drew.
func (r *finishedRun) draw(i int) (*report.Pictures, error) {
	all := &report.Pictures{}
	for method, f := range r.manifest.Maps {
		maps, err := r.maps(method, i)
		if err != nil {
			return nil, err
		}
		shading, err := camlib.Shading(cam.Spec{Signed: f.Signed}, maps...)
		if err != nil {
			return nil, err
		}
		for k, m := range maps {
			tiles, err := cutTiles(filepath.Join(r.dir, r.records[i].Pictures[method*r.k+k]))
			if err != nil {
				return nil, err
			}
			drawn := report.Drawn{Picture: tiles[1]}
			drawn.Low, drawn.High = shading.Scale.Range()
			if drawn.Where, err = figure.Peak(m); err != nil {
				return nil, err
			}
			all.Image, all.Maps = tiles[0], append(all.Maps, drawn)
		}
	}
	return all, nil
}

// maps reads an image's maps.
func (r *finishedRun) maps(method, i int) ([]images.Map, error) {
	f := r.manifest.Maps[method]
	h, w := f.Shape[len(f.Shape)-2], f.Shape[len(f.Shape)-1]
	raw := make([]byte, 4*r.k*h*w)
	if _, err := r.arrays[method].ReadAt(raw, npy.HeaderSize+int64(i)*int64(len(raw))); err != nil {
		return nil, fmt.Errorf("report: %s: %w", f.File, err)
	}
	values := make([]float32, len(raw)/4)
	if _, err := binary.Decode(raw, binary.LittleEndian, values); err != nil {
		return nil, fmt.Errorf("report: %s: %w", f.File, err)
	}
	maps := make([]images.Map, r.k)
	for k := range maps {
		maps[k] = images.Map{H: h, W: w, Values: values[k*h*w : (k+1)*h*w]}
	}
	return maps, nil
}

// cutTiles returns the image and the map in a picture that explain drew.
func cutTiles(path string) (tiles [2]image.Image, err error) {
	if err := (images.ReadOptions{}).Check(path); err != nil { // too large a one is not decoded
		return tiles, fmt.Errorf("report: %w", err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		return tiles, fmt.Errorf("report: %w", err)
	}
	picture, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		return tiles, fmt.Errorf("report: %s: %w, want a picture that explain wrote: explain again", path, err)
	}
	at := figure.TilesOf(file)
	if len(at) < len(tiles) { // of a photo more follow, such as the map over it
		return tiles, fmt.Errorf("report: %s: it does not say where its image and its map lie, want a picture that this camlab's explain wrote: explain again", path)
	}
	for i, r := range at[:len(tiles)] {
		if r.Empty() || !r.In(picture.Bounds()) {
			return tiles, fmt.Errorf("report: %s: tile %v outside of the picture, want one that explain wrote: explain again", path, r)
		}
		tile := image.NewNRGBA(image.Rectangle{Max: r.Size()})
		draw.Draw(tile, tile.Rect, picture, r.Min, draw.Src)
		tiles[i] = tile
	}
	return tiles, nil
}
