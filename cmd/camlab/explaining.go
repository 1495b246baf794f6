package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"image"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/figure"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/train/progress"
	"github.com/camlab-go/camlab/internal/atomicfile"
	"github.com/camlab-go/camlab/internal/exec"
	"github.com/camlab-go/camlab/internal/legible"
)

// explaining is a run over all images, in chunks, of which one is in memory. A chunk
// is a run of the compiled graphs, the last one up to two, so that the borders, and
// with them the rounding, are those of one call for all images, wherever the run was
// stopped.
type explaining struct {
	*subjects
	flags    *explainFlags
	journal  *journal
	methods  []cam.Method
	model    *camlib.Model
	manifest *manifest
	slugs    []string // the classes' parts of file names

	chunk chunk
}

// chunk is the images from start to end.
type chunk struct {
	start, end int
	which      []int // those that could be read
	images     []image.Image
	failed     []failedImage
}

const chunkSize = exec.Batch

// chunksOf is how many chunks n images make.
func chunksOf(n int) int { return max(1, n/chunkSize) }

// whole is of how many of n images so many units hold what all methods make.
func whole(units, methods, n int) int {
	if chunks := units / methods; chunks < chunksOf(n) {
		return chunks * chunkSize
	}
	return n
}

// all makes what is missing.
func (w *explaining) all(ctx context.Context, lines *progress.Lines) error {
	defer lines.Clear()
	chunks := chunksOf(len(w.infos))
	begun, first := time.Now(), whole(w.journal.units, len(w.methods), len(w.infos))
	for u := w.journal.units; u < chunks*len(w.methods); u++ {
		start := u / len(w.methods) * chunkSize
		end := start + chunkSize
		if u/len(w.methods) == chunks-1 {
			end = len(w.infos)
		}
		if w.chunk.end != end {
			if err := w.read(start, end); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.unit(ctx, u%len(w.methods)); err != nil {
			return err
		}
		if lines.Images(first, start+(end-start)*(u%len(w.methods)+1)/len(w.methods), len(w.infos), begun); u == 0 {
			begun = time.Now() // the first unit compiled the graphs
		}
	}
	return nil
}

// read reads a chunk's images.
func (w *explaining) read(start, end int) error {
	read, errs := make([]image.Image, end-start), make([]error, end-start)
	var group errgroup.Group
	group.SetLimit(min(4, runtime.GOMAXPROCS(0))) // a photo may be hundreds of megabytes in memory
	for i := range read {
		group.Go(func() error {
			read[i], errs[i] = w.subjects.read(start + i)
			return nil
		})
	}
	_ = group.Wait()
	w.chunk = chunk{start: start, end: end}
	for i, img := range read {
		if err := errs[i]; err != nil {
			info := w.infos[start+i]
			w.chunk.failed = append(w.chunk.failed, failedImage{info.Name, info.File, valid(err.Error())})
			continue
		}
		w.chunk.which, w.chunk.images = append(w.chunk.which, start+i), append(w.chunk.images, img)
	}
	if k := w.journal.units % len(w.methods); k > 0 && len(w.chunk.which) != len(w.journal.last.Pictures) {
		return fmt.Errorf("explain: pictures from %s on changed while the run went on", w.infos[start].Name)
	}
	return nil
}

// unit makes and writes what one method makes of the chunk.
func (w *explaining) unit(ctx context.Context, k int) error {
	u := unit{Method: k, Pictures: make([][]string, len(w.chunk.which))}
	if k == 0 {
		u.Failed = w.chunk.failed
	}
	if len(w.chunk.which) > 0 {
		if err := w.explain(ctx, k, &u); err != nil {
			return err
		}
	}
	if err := w.journal.add(u); err != nil {
		return fmt.Errorf("explain: %w", err)
	}
	return nil
}

// explain makes the maps and draws them.
func (w *explaining) explain(ctx context.Context, k int, u *unit) error {
	var labels []int
	for _, i := range w.chunk.which {
		if w.labels != nil {
			labels = append(labels, w.labels[i])
		}
	}
	target, err := w.flags.target(w.model, labels)
	if err != nil {
		return err
	}
	batch, err := images.FromImages(w.chunk.images...)
	if err != nil {
		return err
	}
	r, err := w.model.Explainer.Explain(ctx, w.methods[k], batch, target)
	if err != nil {
		if w.chunk.start > 0 && ctx.Err() == nil {
			err = fmt.Errorf("explain: images from number %d, %s, on: %w", w.chunk.start, w.infos[w.chunk.start].Name, err)
		}
		return err
	}
	u.Classes, u.Shape = r.NumClasses, r.Shape()[1:]
	u.Score, u.Residual, u.maps = r.Score, r.Residual, r.Maps
	for _, outcome := range r.Outcome {
		u.Outcome = append(u.Outcome, outcome.String())
	}
	if k == 0 { // scores and classes are the same for every method
		u.logits = r.Scores
		for row, i := range w.chunk.which {
			u.Images = append(u.Images, w.describe(w.infos[i], r, row))
		}
	}
	if w.journal.units == 0 { // from now on an earlier run's files are no more all there
		if err := os.Remove(filepath.Join(w.journal.dir, manifestFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("explain: %w", err)
		}
	}
	return w.draw(w.methods[k], r, u)
}

// describe adds what a result says of an image.
func (w *explaining) describe(e explained, r *cam.Result, i int) explained {
	classes := w.manifest.Classes
	e.Predicted = classes[r.Predicted[i]]
	if r.Class != nil && r.K == 0 {
		e.Class = classes[r.Class[i]]
	}
	if r.Rival != nil {
		e.Rival = classes[r.Rival[i]]
	}
	if r.Class != nil && r.K > 0 {
		for _, c := range r.ClassesOf(i) {
			e.Top = append(e.Top, classes[c])
		}
	}
	return e
}

// draw writes a result's pictures. Those of one image share a scale.
func (w *explaining) draw(method cam.Method, r *cam.Result, u *unit) error {
	used := make(map[uint64]bool)
	for row, i := range w.chunk.which {
		for _, c := range r.ClassesOf(row) {
			asked := w.slugs[c]
			if r.Rival != nil {
				asked += "_not_" + w.slugs[r.Rival[row]]
			}
			stem := w.files[i] + "_" + asked + "_" + cam.FileName(method.Spec().Name)
			name := stem + ".png"
			if h := hash(name); used[h] || w.journal.taken[h] { // a_b of c, and a of b_c
				name = stem + checksum(fmt.Sprintf("%q %q %d", w.files[i], asked, c)) + ".png"
			}
			used[hash(name)] = true
			u.Pictures[row] = append(u.Pictures[row], name)
		}
	}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for row := range w.chunk.which {
		group.Go(func() error { return w.drawImage(method, r, row, u.Pictures[row]) })
	}
	return group.Wait()
}

// drawImage writes the pictures of one image, to files of those names.
func (w *explaining) drawImage(method cam.Method, r *cam.Result, row int, files []string) error {
	names, classes := w.manifest.Classes, r.ClassesOf(row)
	var maps []images.Map
	for _, c := range classes {
		maps = append(maps, r.Map(row, c))
	}
	shading, err := camlib.Shading(method.Spec(), maps...)
	if err != nil {
		return err
	}
	for k, c := range classes {
		asked := names[c]
		if r.Rival != nil {
			asked += " not " + names[r.Rival[row]]
		}
		title := fmt.Sprintf("%s: %s %+.2f", legible.Line(w.infos[w.chunk.which[row]].Name), legible.Line(asked), r.Score[row*len(classes)+k])
		picture, err := figure.Pair{Title: title, Image: w.chunk.images[row], Map: maps[k], Name: method.Spec().Name, Shading: shading}.Draw()
		if err != nil {
			return err
		}
		png, err := figure.PNGBytes(picture)
		if err != nil {
			return err
		}
		if err := atomicfile.WriteFileBy(w.journal.work, filepath.Join(w.journal.dir, files[k]), png); err != nil {
			return fmt.Errorf("explain: %w", err)
		}
	}
	return nil
}

// finish puts the manifest together, and the arrays in their places.
func (w *explaining) finish() error {
	m, at := w.manifest, 0 // the chunk's first image
	if _, err := w.journal.each(func(u unit) bool {
		if u.Method == 0 {
			at = len(m.Images)
			m.Images, m.Failed = append(m.Images, u.Images...), append(m.Failed, u.Failed...)
		}
		for row, names := range u.Pictures {
			m.Images[at+row].Pictures = append(m.Images[at+row].Pictures, names...)
		}
		f := &m.Maps[u.Method]
		f.Score, f.Residual, f.Outcome = append(f.Score, u.Score...), append(f.Residual, u.Residual...), append(f.Outcome, u.Outcome...)
		if u.Shape != nil {
			f.Shape = u.Shape
		}
		return true
	}); err != nil {
		return fmt.Errorf("explain: %w", err)
	}
	if len(m.Images) == 0 {
		w.journal.units = 0
		return errors.New(m.Failed[0].Error)
	}
	for k := range m.Maps {
		m.Maps[k].Shape = append([]int{len(m.Images)}, m.Maps[k].Shape...)
	}
	m.MapShape = m.Maps[0].Shape
	if err := w.journal.finish(len(m.Images), len(m.Classes), m); err != nil {
		return fmt.Errorf("explain: %w", err)
	}
	return nil
}

// hash stands for the name of a file, on any file system.
func hash(name string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, folded(name)) // never fails
	return h.Sum64()
}
