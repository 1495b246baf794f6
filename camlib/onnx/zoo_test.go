package onnx_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"codeberg.org/sbinet/npyio/npz"
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/onnx"
	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/exec"
)

// TestZoo runs every NAME_KIND.onnx of the folder CAMLAB_ONNX_ZOO and compares it with
// NAME.npz, what PyTorch and onnxruntime computed; testdata/zoo.py makes both.
func TestZoo(t *testing.T) {
	dir := os.Getenv("CAMLAB_ONNX_ZOO")
	if dir == "" {
		t.Skip("needs CAMLAB_ONNX_ZOO, a folder of exported networks")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.onnx"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no networks in %s: %v", dir, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".onnx")
		at := strings.LastIndexByte(name, '_')
		t.Run(name, func(t *testing.T) {
			compareWithTorch(t, backendtest.Any, file, filepath.Join(dir, name[:max(at, 0)]+".npz"))
		})
	}
}

// reference is what PyTorch computed, and onnxruntime the logits where they are there.
type reference struct {
	images.Batch
	logits, act, gradcam, hirescam []float32
	actDims                        []int
	classes                        []int
}

// readReference reads a reference. kind is that of the file whose logits by onnxruntime are
// wanted.
func readReference(tb testing.TB, file, kind string) *reference {
	tb.Helper()
	z, err := npz.Open(file)
	if err != nil {
		tb.Fatal(err)
	}
	defer z.Close()
	dims := func(name string) []int { return z.Header(name + ".npy").Descr.Shape }
	floats := func(name string) (f []float32) {
		if !slices.Contains(z.Keys(), name+".npy") {
			return nil
		}
		if err := z.Read(name+".npy", &f); err != nil {
			tb.Fatal(err)
		}
		return f
	}
	r := &reference{logits: floats("logits"), act: floats("act"), gradcam: floats("gradcam"), hirescam: floats("hirescam")}
	if by := floats(kind); by != nil {
		r.logits = by
	}
	var classes []int64
	if err := z.Read("class.npy", &classes); err != nil {
		tb.Fatal(err)
	}
	for _, c := range classes {
		r.classes = append(r.classes, int(c))
	}
	d := dims("x")
	r.Batch = images.NewBatch(d[0], images.Size{Height: d[2], Width: d[3], Channels: d[1]})
	channelsLast(r.Pixels, floats("x"), d)
	if r.act != nil {
		d = dims("act")
		r.actDims = []int{d[0], d[2], d[3], d[1]}
		act := make([]float32, len(r.act))
		channelsLast(act, r.act, d)
		r.act = act
	}
	return r
}

// unit makes pixels from 0 to 1 of the images, and the options that undo that.
func (r *reference) unit(o onnx.Options) onnx.Options {
	low, high := slices.Min(r.Pixels), slices.Max(r.Pixels)
	for i, v := range r.Pixels {
		r.Pixels[i] = min(1, (v-low)/(high-low))
	}
	o.Scale, o.Mean = high-low, []float32{-low}
	return o
}

// channelsLast copies [n, c, h, w] as [n, h, w, c].
func channelsLast(to, from []float32, d []int) {
	n, c, places := d[0], d[1], d[2]*d[3]
	for i := range n {
		for k := range c {
			for p := range places {
				to[(i*places+p)*c+k] = from[(i*c+k)*places+p]
			}
		}
	}
}

// compareWithTorch compares a file with its reference, on a backend that is opened after it.
func compareWithTorch(t *testing.T, open func(testing.TB) compute.Backend, file, npzFile string) *onnx.Imported {
	t.Helper()
	name := strings.TrimSuffix(filepath.Base(file), ".onnx")
	want := readReference(t, npzFile, name[strings.LastIndexByte(name, '_')+1:])
	began := time.Now()
	m, err := onnx.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	b := open(t)
	net, err := m.Network(b, want.unit(onnx.Options{Size: want.Size()}))
	if err != nil {
		t.Fatal(err)
	}
	seconds := time.Since(began).Seconds()
	t.Logf("%d layers, default %s %v (%s); notes %q", len(net.Layers), net.Layer.Name, net.Layer.Shape, net.Layer.Why, net.Notes)
	off := map[string]float64{}
	defer func() {
		t.Logf("%s in %.1f s, one at a time %v; off by, of the largest: logits of 1 %.1e, of 4 %.1e, Grad-CAM %.1e, HiResCAM %.1e",
			name, seconds, net.Alone() != nil, off["logits of 1"], off["logits of 4"], off["Grad-CAM"], off["HiResCAM"])
	}()
	near := func(what string, got, want []float32, tolerance float64) {
		t.Helper()
		backendtest.Near(t, what, got, want, tolerance)
		off[what] = onnx.Distance(got, want)
	}
	for _, n := range []int{1, 4} {
		x := images.NewBatch(n, want.Size())
		var logits []float32
		each := len(want.logits) / want.N
		for i := range n {
			k := i % want.N
			copy(x.Pixels[i*x.Size().Values():], want.Pixels[k*x.Size().Values():(k+1)*x.Size().Values()])
			logits = append(logits, want.logits[k*each:(k+1)*each]...)
		}
		near(fmt.Sprintf("logits of %d", n), onnx.ScoresOf(t, b, net.Network, x), logits, 1e-4)
	}
	if want.act == nil {
		explain(t, b, net.Network, want)
		return net
	}
	layer := sameAsAct(t, b, net, want)
	if layer == "" {
		return net
	}
	at, err := net.At(layer)
	if err != nil {
		t.Fatal(err)
	}
	e, err := cam.New(b, at, cam.Options{Batch: 2, General: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []struct {
		name   string
		method cam.Method
		want   []float32
	}{{"Grad-CAM", cam.GradCAM{}, want.gradcam}, {"HiResCAM", cam.HiResCAM{}, want.hirescam}} {
		r, err := e.Explain(context.Background(), m.method, want.Batch, cam.Classes(want.classes...))
		if err != nil {
			t.Fatal(err)
		}
		near(m.name, r.Maps, m.want, 1e-3)
	}
	return net
}

// sameAsAct is the first layer whose activations are PyTorch's act, and reports whether the
// default comes with it.
func sameAsAct(t *testing.T, b compute.Backend, net *onnx.Imported, want *reference) string {
	t.Helper()
	last, err := net.At(net.Layers[len(net.Layers)-1].Name)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	g, err := exec.New(b, net.Store, func(scope *model.Scope, in []*Node) exec.Outputs {
		out := exec.Outputs{"image": Identity(in[0])} // a graph has outputs
		act, _ := last.Activations(scope, in[0])
		for i, a := range act {
			if slices.Equal(a.Shape().Dimensions, want.actDims) {
				out[fmt.Sprintf("%04d", i)] = a
				names = append(names, fmt.Sprintf("%04d", i))
			}
		}
		return out
	})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Finalize()
	out, err := g.Call(tensors.FromFlatDataAndDimensions(slices.Clone(want.Pixels), want.N, want.Height, want.Width, want.Channels))
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[string]any)
	for _, name := range names {
		values[name] = new([]float32)
	}
	if err := out.Read(values); err != nil {
		t.Fatal(err)
	}
	closest := math.Inf(1)
	for i := len(names) - 1; i >= 0; i-- {
		got := *values[names[i]].(*[]float32)
		largest, most := 0.0, 0.0
		for k, w := range want.act {
			largest, most = max(largest, math.Abs(float64(w))), max(most, math.Abs(float64(got[k]-w)))
		}
		if closest = min(closest, most/largest); most/largest < 1e-4 {
			k, err := strconv.Atoi(names[i])
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("act is %s (%s)", net.Layers[k].Name, net.Layers[k].Text)
			return net.Layers[k].Name
		}
	}
	t.Errorf("no layer is PyTorch's act %v; the closest is off by %.2g", want.actDims, closest)
	return ""
}

// explain makes a map at the default layer, which must not be all zeros.
func explain(t *testing.T, b compute.Backend, net *network.Network, x *reference) {
	t.Helper()
	e, err := cam.New(b, net, cam.Options{Batch: 2})
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.Explain(context.Background(), cam.HiResCAM{}, x.Batch, cam.Classes(x.classes...))
	if err != nil {
		t.Fatal(err)
	}
	if slices.Max(r.Maps) == slices.Min(r.Maps) {
		t.Errorf("HiResCAM at %s is %v everywhere", net.ExplainedLayer(), r.Maps[0])
	}
}
