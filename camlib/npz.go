package camlib

import (
	"archive/zip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/atomicfile"
	"github.com/camlab-go/camlab/internal/exec"
	"github.com/camlab-go/camlab/internal/failure"
	"github.com/camlab-go/camlab/internal/nn"
	"github.com/camlab-go/camlab/internal/npy"
)

// NPZ says what [Model.WriteNPZ] writes beside what it always does.
type NPZ struct {
	Images      bool // images: uint8, [n, height, width, channels]
	Activations bool // activations: float32, [n, height, width, channels] of the explained layer
}

// WriteNPZ runs the network over a data set and writes a NumPy archive, which numpy.load
// reads, of
//
//	logits    float32, [n, classes]   the scores before softmax
//	features  float32, [n, channels]  the means over the places of the explained layer
//	labels    int64, [n]
//	classes   text, [classes]         the data set's names of the labels
//
// and what NPZ says. The file appears whole or not at all. It fails, naming the image, where
// scores or features are infinite or NaN.
func (m *Model) WriteNPZ(ctx context.Context, path string, ds images.Dataset, o NPZ) error {
	if m == nil || m.Network == nil {
		return errors.New("camlib: write: no model, want one of New or Article")
	}
	if err := errors.Join(m.Network.Check(), images.CheckDataset(ds)); err != nil {
		return fmt.Errorf("camlib: write: %w", err)
	}
	w := &npzWriter{ctx: ctx, ds: ds, activations: o.Activations}
	var err error
	w.graph, err = exec.New(m.Backend, m.Network.Store, func(scope *model.Scope, in []*Node) exec.Outputs {
		act, beside := m.Network.Features(scope, nn.FromBytes(in[0]))
		out := exec.Outputs{"logits": m.Network.Scores(scope, act, beside), "features": ReduceMean(act, 1, 2)}
		if o.Activations {
			out["activations"] = act
		}
		return out
	})
	if err != nil {
		return fmt.Errorf("camlib: write: %w", err)
	}
	defer w.graph.Finalize()
	if w.batch = exec.Batch; m.Network.Alone() != nil {
		w.batch = 1
	}
	err = atomicfile.Write(path, func(f io.Writer) error {
		w.zip = zip.NewWriter(f)
		if err := w.write(); err != nil {
			return err
		}
		if o.Images {
			if err := w.images(); err != nil {
				return err
			}
		}
		return w.zip.Close()
	})
	if err != nil {
		return fmt.Errorf("camlib: write: %s: %w", path, err)
	}
	return nil
}

// npzWriter writes an archive, one array after the other.
type npzWriter struct {
	ctx         context.Context
	ds          images.Dataset
	graph       *exec.Graph
	batch       int
	activations bool
	zip         *zip.Writer
}

// array begins an array, whose values follow. Activations and pixels do not get smaller by
// much, so that nothing is compressed.
func (w *npzWriter) array(name, descr string, shape ...int) (io.Writer, error) {
	f, err := w.zip.CreateHeader(&zip.FileHeader{Name: name + ".npy", Method: zip.Store})
	if err != nil {
		return nil, err
	}
	_, err = f.Write(npy.HeaderOf(descr, shape))
	return f, err
}

// write writes all but the images.
func (w *npzWriter) write() error {
	n, size := w.ds.Len(), w.ds.Size()
	var logits, features []float32
	var act io.Writer
	for start := 0; start < n; start += w.batch {
		if err := w.ctx.Err(); err != nil {
			return fmt.Errorf("stopped after %d of %d images: %w", start, n, err)
		}
		// The last batch overlaps the previous one, so that its shape matches the graph
		// already compiled.
		from := max(0, min(start, n-w.batch))
		end := min(from+w.batch, n)
		pixels, err := w.pixels(from, end)
		if err != nil {
			return err
		}
		out, err := w.graph.Call(tensors.FromFlatDataAndDimensions(pixels, end-from, size.Height, size.Width, size.Channels))
		if err != nil {
			return fmt.Errorf("images from %d: %w", start, err)
		}
		var dims []int
		if w.activations {
			dims = out.Dims("activations")
		}
		var y, f, a []float32
		if err := out.Read(map[string]any{"logits": &y, "features": &f, "activations": &a}); err != nil {
			return err
		}
		for _, part := range []struct {
			what   string
			values []float32
		}{{"logits", y}, {"features", f}} {
			if bad := failure.NotFinite(part.values); bad >= 0 {
				return fmt.Errorf("image %d: %s that are infinite or NaN: the network's weights or activations overflow", from+bad/(len(part.values)/(end-from)), part.what)
			}
		}
		rest := func(v []float32) []float32 { return v[(start-from)*(len(v)/(end-from)):] }
		logits, features = append(logits, rest(y)...), append(features, rest(f)...)
		if !w.activations {
			continue
		}
		if act == nil {
			if act, err = w.array("activations", "<f4", append([]int{n}, dims[1:]...)...); err != nil {
				return err
			}
		}
		if err := binary.Write(act, binary.LittleEndian, rest(a)); err != nil {
			return err
		}
	}
	var labels []int64
	for _, l := range images.Labels(w.ds) {
		labels = append(labels, int64(l))
	}
	for _, a := range []struct {
		name, descr string
		shape       []int
		values      any
	}{
		{"logits", "<f4", []int{n, len(logits) / n}, logits}, {"features", "<f4", []int{n, len(features) / n}, features}, {"labels", "<i8", []int{n}, labels},
	} {
		f, err := w.array(a.name, a.descr, a.shape...)
		if err != nil {
			return err
		}
		if err := binary.Write(f, binary.LittleEndian, a.values); err != nil {
			return err
		}
	}
	return w.classes()
}

// classes are texts of one length, filled up with zeros, of four bytes a letter.
func (w *npzWriter) classes() error {
	longest := 1
	for _, name := range w.ds.Classes() {
		longest = max(longest, utf8.RuneCountInString(name))
	}
	f, err := w.array("classes", fmt.Sprintf("<U%d", longest), len(w.ds.Classes()))
	if err != nil {
		return err
	}
	for _, name := range w.ds.Classes() {
		letters := make([]rune, longest)
		copy(letters, []rune(name))
		if err := binary.Write(f, binary.LittleEndian, letters); err != nil {
			return err
		}
	}
	return nil
}

func (w *npzWriter) pixels(start, end int) ([]uint8, error) {
	size := w.ds.Size().Values()
	pixels := make([]uint8, (end-start)*size)
	for i := start; i < end; i++ {
		if err := w.ds.Read(i, pixels[(i-start)*size:(i-start+1)*size]); err != nil {
			return nil, fmt.Errorf("image %d: %w", i, err)
		}
	}
	return pixels, nil
}

func (w *npzWriter) images() error {
	n, size := w.ds.Len(), w.ds.Size()
	f, err := w.array("images", "|u1", n, size.Height, size.Width, size.Channels)
	for i := 0; i < n && err == nil; i++ {
		var pixels []uint8
		if pixels, err = w.pixels(i, i+1); err == nil {
			_, err = f.Write(pixels)
		}
	}
	return err
}
