package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/best"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/onnx"
	"github.com/camlab-go/camlab/camlib/train"
	"github.com/camlab-go/camlab/internal/exec"
	"github.com/camlab-go/camlab/internal/plugin"
)

// work is the contestant camlab: it does what peers.py does.
func work(ctx context.Context, f flags) error {
	if f.foreign {
		plugin.RunForeign()
	}
	backend, err := camlib.Backend(f.backend)
	if err != nil {
		return err
	}
	c := &camlab{folder: f.worker, backend: backend}
	if flag.Arg(0) == "first" {
		r := request{Images: 1, Batch: 1, Side: 32, Task: "cam", Network: "article"}
		if f.foreign {
			r.Side, r.Task, r.Network = 224, "gradcam", flag.Arg(1)
		}
		do, err := c.prepare(ctx, r)
		if err != nil {
			return err
		}
		return do()
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(answer{Version: camlib.Describe(backend)}); err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		a, err := c.answer(ctx, lines.Bytes())
		if err != nil {
			return err
		}
		if err := out.Encode(a); err != nil {
			return err
		}
	}
	c.forget()
	return lines.Err()
}

// camlab does requests. What it prepared for the last one it keeps.
type camlab struct {
	folder  string
	backend compute.Backend
	last    string
	do      func() error
	end     func()
}

func (c *camlab) forget() {
	if c.end != nil {
		c.end()
	}
	c.do, c.end = nil, nil
}

func (c *camlab) answer(ctx context.Context, line []byte) (a answer, err error) {
	var r request
	if err := json.Unmarshal(line, &r); err != nil {
		return a, err
	}
	if string(line) != c.last {
		c.forget()
		begin := time.Now()
		if c.do, err = c.prepare(ctx, r); err != nil {
			return answer{Skip: err.Error()}, nil
		}
		if r.Task != "epoch" {
			if err := c.do(); err != nil {
				return answer{Skip: err.Error()}, nil
			}
		}
		c.last, a.Prepared = string(line), time.Since(begin).Seconds()
	}
	begin := time.Now()
	if err := c.do(); err != nil {
		return a, err
	}
	a.Seconds = time.Since(begin).Seconds()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return a, err
	}
	a.Peak = usage.Maxrss * 1024
	return a, nil
}

func (c *camlab) prepare(ctx context.Context, r request) (func() error, error) {
	switch r.Task {
	case "train":
		return c.train(ctx, r)
	case "epoch":
		return func() error { return c.epoch(ctx, r) }, nil
	case "forward":
		return c.forward(ctx, r)
	case "camall":
		return c.maps("cam", cam.All)(ctx, r)
	}
	return c.maps(r.Task, cam.Predicted)(ctx, r)
}

// read reads images and labels.
func (c *camlab) read(name string) (*cifar10.Dataset, error) {
	pixels, err := os.ReadFile(filepath.Join(c.folder, name+".bin"))
	if err != nil {
		return nil, err
	}
	labels, err := os.ReadFile(filepath.Join(c.folder, name+"_labels.bin"))
	if err != nil {
		return nil, err
	}
	ds := &cifar10.Dataset{Pixels: pixels, Labels: labels}
	for i := range labels {
		ds.Index = append(ds.Index, i)
	}
	return ds, nil
}

// fresh returns a fresh network and how it is trained.
func fresh(r request, ds images.Dataset) (*network.Network, train.Config, error) {
	c, err := train.Recipe(r.Network)
	if err != nil {
		return nil, c, err
	}
	c.Epochs, c.BatchSize, c.Augment = 1, r.Batch, train.None
	if r.Augment {
		c.Augment = train.FlipCrop
	}
	if r.Network == "best" {
		net := best.New(1)
		return net, c, best.Whiten(net, ds)
	}
	return article.New(1), c, nil
}

// train makes a training that stands still after each step until it is told to go on.
func (c *camlab) train(ctx context.Context, r request) (func() error, error) {
	trainSet, testSet, err := c.sets(func(n int) int { return n / r.Batch * r.Batch }) // no smaller last batch
	if err != nil {
		return nil, err
	}
	net, o, err := fresh(r, trainSet)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	steps, next, over := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	o.Epochs, o.OnStep = 1_000_000, func(train.Progress) { steps <- struct{}{}; <-next }
	go func() {
		_, err := train.Train(ctx, c.backend, net, trainSet, testSet, o)
		over <- err
		close(over) // who waits for the end after a failure does not wait for ever
	}()
	step := func() error {
		select {
		case <-steps:
			return nil
		case err := <-over:
			return err
		}
	}
	c.end = func() {
		cancel()
		close(next)
		<-over //nolint:errcheck // it says that it was stopped
	}
	if err := step(); err != nil {
		return nil, err
	}
	return func() error {
		for range r.Images / r.Batch {
			next <- struct{}{}
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// sets reads the training images, as many as size says, and a few to test on.
func (c *camlab) sets(size func(n int) int) (trainSet, testSet *cifar10.Dataset, err error) {
	if trainSet, err = c.read("train"); err != nil {
		return nil, nil, err
	}
	if testSet, err = c.read("test"); err != nil {
		return nil, nil, err
	}
	return first(trainSet, size(trainSet.Len())), first(testSet, 10), nil
}

func first(ds *cifar10.Dataset, n int) *cifar10.Dataset {
	return &cifar10.Dataset{Split: ds.Split, Pixels: ds.Pixels[:n*len(ds.Pixels)/ds.Len()], Labels: ds.Labels[:n], Index: ds.Index[:n]}
}

func (c *camlab) epoch(ctx context.Context, r request) error {
	trainSet, testSet, err := c.sets(func(n int) int { return n })
	if err != nil {
		return err
	}
	net, o, err := fresh(r, trainSet)
	if err != nil {
		return err
	}
	_, err = train.Train(ctx, c.backend, net, trainSet, testSet, o)
	return err
}

// test returns the test images; larger ones are made by repeating.
func (c *camlab) test(r request) (images.Batch, error) {
	ds, err := c.read("test")
	if err != nil {
		return images.Batch{}, err
	}
	some, err := images.FromDataset(ds, 0, min(r.Images, ds.Len()))
	if err != nil {
		return images.Batch{}, err
	}
	x := images.NewBatch(r.Images, images.Size{Height: r.Side, Width: r.Side, Channels: some.Channels})
	out := x.Pixels
	for i := range x.N {
		for row := range x.Height {
			for column := range x.Width {
				at := ((i%some.N*some.Height+row%some.Height)*some.Width + column%some.Width) * some.Channels
				out = out[copy(out, some.Pixels[at:at+some.Channels]):]
			}
		}
	}
	return x, nil
}

func (c *camlab) network(r request) (*network.Network, error) {
	if r.Network == "article" {
		return article.Load(filepath.Join(c.folder, network.ModelFile))
	}
	path := filepath.Join(c.folder, r.Network+".onnx")
	graph, err := onnx.Open(path)
	if err != nil {
		return nil, err
	}
	m, err := camlib.OpenONNX(graph, path, c.backend, camlib.ONNXOptions{})
	if err != nil {
		return nil, err
	}
	return m.Network, nil
}

// forward is the network as graph code runs it, a batch at a time, in the parts in which
// camlib runs large ones.
func (c *camlab) forward(_ context.Context, r request) (func() error, error) {
	n, err := c.network(r)
	if err != nil {
		return nil, err
	}
	x, err := c.test(r)
	if err != nil {
		return nil, err
	}
	run, err := model.NewExec(c.backend, n.Store, n.Forward)
	if err != nil {
		return nil, err
	}
	var parts []*tensors.Tensor
	part := exec.ChunkSize(r.Batch, exec.Batch)
	for start := 0; start < x.N; start += part {
		p := x.Part(start, min(start+part, x.N))
		parts = append(parts, tensors.FromFlatDataAndDimensions(p.Pixels, p.N, p.Height, p.Width, p.Channels))
	}
	return func() error {
		for _, p := range parts {
			out, err := run.Call(p)
			if err != nil {
				return err
			}
			if _, err := tensors.CopyFlatData[float32](out[0]); err != nil {
				return err
			}
			out[0].MustFinalizeAll()
		}
		return nil
	}, nil
}

// maps makes the maps of a method.
func (c *camlab) maps(name string, target cam.Target) func(ctx context.Context, r request) (func() error, error) {
	return func(ctx context.Context, r request) (func() error, error) {
		n, err := c.network(r)
		if err != nil {
			return nil, err
		}
		method, err := cam.Lookup(name)
		if err != nil {
			return nil, err
		}
		x, err := c.test(r)
		if err != nil {
			return nil, err
		}
		e, err := cam.New(c.backend, n, cam.Options{Batch: r.Batch, Chunk: r.Inner})
		if err != nil {
			return nil, err
		}
		return func() error {
			_, err := e.Explain(ctx, method, x, target)
			return err
		}, nil
	}
}
