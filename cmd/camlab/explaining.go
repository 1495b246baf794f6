package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
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
	seen       []seen
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
	ctx, cancel := context.WithCancel(ctx)
	methods := len(w.methods)
	next, wait := w.ahead(ctx, w.journal.units/methods)
	defer wait()
	defer cancel()
	begun, first, warm := time.Now(), whole(w.journal.units, methods, w.len()), false
	for c := range next {
		if err := ctx.Err(); err != nil {
			return err
		}
		w.chunk = c
		if len(w.journal.chunk) > 0 && w.journal.units%methods > 0 && len(c.which) != len(w.journal.chunk[0].Images) {
			return fmt.Errorf("explain: pictures from %s on changed while the run went on", w.describe(c.start).Name)
		}
		for k := w.journal.units % methods; k < methods; k++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := w.unit(ctx, k); err != nil {
				return err
			}
			lines.Images(first, c.start+(c.end-c.start)*(k+1)/methods, w.len(), begun)
		}
		if !warm { // the first chunk compiled the graphs
			begun, first, warm = time.Now(), c.end, true
		}
	}
	if w.journal.units < chunksOf(w.len())*methods {
		return ctx.Err()
	}
	return nil
}

// ahead reads the chunks from number c on, each while the one before it is explained, and
// ends when they are read or the context is done. wait waits for that.
func (w *explaining) ahead(ctx context.Context, c int) (chunks <-chan chunk, wait func()) {
	read := make(chan chunk)
	var group sync.WaitGroup
	group.Go(func() {
		defer close(read)
		for ; c < chunksOf(w.len()); c++ {
			start, end := c*chunkSize, (c+1)*chunkSize
			if c == chunksOf(w.len())-1 {
				end = w.len()
			}
			select {
			case read <- w.read(ctx, start, end):
			case <-ctx.Done():
				return
			}
		}
	})
	return read, group.Wait
}

// read reads a chunk's images.
func (w *explaining) read(ctx context.Context, start, end int) chunk {
	read, errs := make([]seen, end-start), make([]error, end-start)
	var group errgroup.Group
	group.SetLimit(min(4, runtime.GOMAXPROCS(0))) // a photo may be hundreds of megabytes in memory
	for i := range read {
		if ctx.Err() != nil {
			break // nobody waits for the chunk
		}
		decode := w.fetch(start + i)
		group.Go(func() error {
			read[i], errs[i] = decode()
			return nil
		})
	}
	_ = group.Wait()
	c := chunk{start: start, end: end}
	for i, s := range read {
		if err := errs[i]; err != nil {
			info := w.describe(start + i)
			c.failed = append(c.failed, failedImage{info.Name, info.File, valid(err.Error())})
			continue
		}
		c.which, c.seen = append(c.which, start+i), append(c.seen, s)
	}
	return c
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
	batch, err := w.batch()
	if err != nil {
		return err
	}
	r, err := w.model.Explainer.Explain(ctx, w.methods[k], batch, target)
	if err != nil {
		if w.chunk.start > 0 && ctx.Err() == nil {
			err = fmt.Errorf("explain: images from number %d, %s, on: %w", w.chunk.start, w.describe(w.chunk.start).Name, err)
		}
		return err
	}
	u.Classes, u.Shape = r.NumClasses, r.Shape()[1:]
	u.Score, u.Residual, u.maps = r.Score, r.Residual, r.Maps
	for _, outcome := range r.Outcome {
		u.Outcome = append(u.Outcome, outcome.String())
	}
	for row := range w.chunk.which {
		for _, c := range r.ClassesOf(row) {
			u.Of = append(u.Of, target.Words(w.manifest.Classes[c]))
		}
	}
	if k == 0 { // scores and classes are the same for every method
		u.logits = r.Scores
		for row, i := range w.chunk.which {
			u.Images = append(u.Images, w.found(w.describe(i), target, r, row))
		}
	}
	if w.journal.units == 0 { // from now on an earlier run's files are no more all there
		for _, name := range []string{manifestFile, recordsFile, scoresFile} {
			if err := os.Remove(filepath.Join(w.journal.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("explain: %w", err)
			}
		}
	}
	if !w.flags.draw {
		return nil
	}
	return w.draw(w.methods[k], target, r, u)
}

// batch is the chunk's images as the network takes them.
func (w *explaining) batch() (images.Batch, error) {
	if w.array != nil {
		return w.array.Part(w.chunk.start, w.chunk.end), nil
	}
	var all []image.Image
	for _, s := range w.chunk.seen {
		all = append(all, s.image)
	}
	x, err := images.FromImages(all...)
	if w.model.Network.Input.Channels == 1 {
		x = x.Gray()
	}
	return x, err
}

// found adds what a result says of an image.
func (w *explaining) found(e explained, target cam.Target, r *cam.Result, i int) explained {
	classes := w.manifest.Classes
	e.Predicted = classes[r.Predicted[i]]
	if r.Class != nil && r.K == 0 {
		e.Class = target.Words(classes[r.Class[i]])
	}
	if r.Rival != nil {
		e.Rival = classes[r.Rival[i]]
	}
	return e
}

// draw writes a result's pictures. Those of one image share a scale.
func (w *explaining) draw(method cam.Method, target cam.Target, r *cam.Result, u *unit) error {
	used := make(map[uint64]bool)
	for row, i := range w.chunk.which {
		for _, c := range r.ClassesOf(row) {
			asked := w.slugs[c]
			if r.Rival != nil {
				asked += "_not_" + w.slugs[r.Rival[row]]
			}
			asked = strings.ReplaceAll(target.Words(asked), " ", "_")
			stem := w.files[i] + "_" + asked + "_" + cam.FileName(method.Spec().Name)
			name := stem + ".png"
			if _, taken := w.journal.taken[hash(name)]; taken || used[hash(name)] { // a_b of c, and a of b_c
				name = stem + checksum(fmt.Sprintf("%q %q %d", w.files[i], asked, c)) + ".png"
			}
			used[hash(name)] = true
			u.Pictures[row] = append(u.Pictures[row], name)
		}
	}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for row := range w.chunk.which {
		group.Go(func() error { return w.drawImage(method, target, r, row, u.Pictures[row]) })
	}
	return group.Wait()
}

// drawImage writes the pictures of one image, to files of those names.
func (w *explaining) drawImage(method cam.Method, target cam.Target, r *cam.Result, row int, files []string) error {
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
		if words := target.Words(asked); words != asked {
			asked, shading.Unit = words, camlib.Unit(method.Spec(), words)
		}
		title := fmt.Sprintf("%s: %s %+.2f", legible.Line(w.describe(w.chunk.which[row]).Name), legible.Line(asked), r.Score[row*len(classes)+k])
		picture, err := w.chunk.seen[row].pair(figure.Pair{Title: title, Map: maps[k], Name: method.Spec().Name, Shading: shading}).Draw()
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

// finish puts the manifest together, and the files in their places.
func (w *explaining) finish() error {
	if w.journal.images == 0 {
		w.journal.units = 0
		return errors.New(w.journal.failure)
	}
	if err := w.journal.finish(w.manifest); err != nil {
		return fmt.Errorf("explain: %w", err)
	}
	return nil
}
