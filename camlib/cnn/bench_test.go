package cnn

import (
	"fmt"
	"os"
	"testing"
	"time"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/compiled"
)

// BenchmarkConvolutions times the parts of a training step that are most of its
// work, at a batch of 128: each layer's convolution, forward and its gradients, in
// each way that there is. GFLOP/s are those of the direct sum.
func BenchmarkConvolutions(b *testing.B) {
	const n = 128
	layers := []struct {
		name          string
		side, in, out int
	}{{"conv1", 32, 3, 32}, {"conv2", 32, 32, 32}, {"conv3", 16, 32, 128}, {"conv4", 16, 128, 128}}
	ways := []struct {
		name string
		f    func(x, w *Node) *Node
	}{{"direct", directConvolution}, {"tiled", tiledConvolution}}
	for _, l := range layers {
		for _, way := range ways {
			if way.name == "tiled" && l.in != l.out {
				continue
			}
			grad := func(of int) func(x, w, dy *Node) *Node {
				return func(x, w, dy *Node) *Node { return Gradient(ReduceAllSum(Mul(way.f(x, w), dy)), x, w)[of] }
			}
			for _, part := range []struct {
				name string
				f    func(x, w, dy *Node) *Node
			}{
				{"forward", func(x, w, _ *Node) *Node { return way.f(x, w) }},
				{"input", grad(0)}, {"kernel", grad(1)},
			} {
				b.Run(l.name+"/"+part.name+"/"+way.name, func(b *testing.B) {
					back := backendtest.XLA(b)
					exec, err := NewExec(back, part.f)
					if err != nil {
						b.Fatal(err)
					}
					fill := func(dims ...int) *tensors.Tensor {
						size := 1
						for _, d := range dims {
							size *= d
						}
						v := make([]float32, size)
						for i := range v {
							v[i] = float32(i*7919%1000)/1000 - 0.5
						}
						return tensors.FromFlatDataAndDimensions(v, dims...)
					}
					x, w, dy := fill(n, l.side, l.side, l.in), fill(3, 3, l.in, l.out), fill(n, l.side, l.side, l.out)
					run := func() {
						out, err := exec.Call(x, w, dy)
						if err != nil {
							b.Fatal(err)
						}
						if _, err := compiled.Take[float32](out[0]); err != nil {
							b.Fatal(err)
						}
					}
					run()
					for b.Loop() {
						run()
					}
					flops := 2 * 9 * float64(n*l.side*l.side*l.in*l.out)
					b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				})
			}
		}
	}
}

// BenchmarkEpoch trains epochs of 4,000 images and reports how much of the time is
// spent outside the step (host-%: the order of the images, bookkeeping, and the
// evaluation of ten images), and by how much the process's memory grows from the
// second epoch to the last.
func BenchmarkEpoch(b *testing.B) {
	sample := cifar10.Sample()
	var positions []int
	for i := range 4000 {
		positions = append(positions, i%sample.Len())
	}
	train, err := sample.Select(positions...)
	if err != nil {
		b.Fatal(err)
	}
	test, err := sample.Select(positions[:10]...)
	if err != nil {
		b.Fatal(err)
	}
	c, err := TrainConfig{Epochs: 1 << 30, Augment: FlipCrop}.withDefaults()
	if err != nil {
		b.Fatal(err)
	}
	t := &training{config: c, backend: backendtest.XLA(b), model: New(1), train: train, test: test}
	if err := t.begin(); err != nil {
		b.Fatal(err)
	}
	var inside time.Duration
	step := t.step
	t.step = func(pixels, labels *tensors.Tensor, p picks) (float64, error) {
		start := time.Now()
		cost, err := step(pixels, labels, p)
		inside += time.Since(start)
		return cost, err
	}
	epoch := func() {
		if err := t.epoch(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	epoch() // compiles
	epoch()
	before := resident(b)
	inside = 0
	for b.Loop() {
		epoch()
	}
	b.ReportMetric(100*(1-inside.Seconds()/b.Elapsed().Seconds()), "host-%")
	b.ReportMetric(float64(train.Len()*b.N)/b.Elapsed().Seconds(), "images/s")
	b.ReportMetric(resident(b)-before, "grown-MB")
}

// resident is the process's memory in MB.
func resident(b *testing.B) float64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip(err)
	}
	var total, pages int
	if _, err := fmt.Sscan(string(text), &total, &pages); err != nil {
		b.Fatal(err)
	}
	return float64(pages*os.Getpagesize()) / 1e6
}

// BenchmarkCheckpoint is what a checkpoint costs a training: read, checked, written and
// synced. Per CheckpointEvery of two minutes it has to stay far below one percent, 1.2 s.
func BenchmarkCheckpoint(b *testing.B) {
	m := New(1)
	f, err := openFolder(b.TempDir(), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer f.close()
	model, err := m.Encode()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		values, err := m.trained()
		if err != nil {
			b.Fatal(err)
		}
		if err := f.save(&checkpoint{state{}, values, model}); err != nil {
			b.Fatal(err)
		}
	}
}
