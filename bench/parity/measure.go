package main

import (
	"context"
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/camlib"
	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/best"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/train"
)

// work is what a backend is measured by.
type work struct {
	Images       int // to make maps of
	Steps, Batch int // of trainings
	Best         bool
}

// whole is all that there is; tests do less.
var whole = work{Images: 8, Steps: 20, Batch: 50, Best: true}

// sampled is how many images are inside camlab.
const sampled = 1000

// measured is what a backend computed.
type measured struct {
	Backend   string
	Devices   int // that there are
	Scores    []float32
	Maps      map[string][]float32 // by method
	Trainings map[string]training  // by name
}

// training is what came of one.
type training struct {
	Losses []float32            // the mean of all images until each step, and the test images' after the last
	Moved  map[string][]float32 // by how much each weight changed
}

// The trainings. Adam divides by the size of a gradient, so that a weight whose gradient is nearly
// zero goes either way, and the gradients of batch normalization are sums that nearly cancel:
// the weights of the article's network by SGD can be compared, of the others the losses alone.
const (
	byAdam    = "article's network, Adam"
	bySGD     = "article's network, SGD"
	byDevices = "article's network, SGD, two devices"
	ofBest    = "best's network, SGD"
)

// closed are CAM and the methods that have a closed form for the article's network.
func closed() (methods []cam.Method) {
	for _, m := range cam.MethodsFor(article.New(1)) {
		if s := m.Spec(); s.Linear != nil || s.Name == (cam.CAM{}).Spec().Name {
			methods = append(methods, m)
		}
	}
	return methods
}

// some returns the first n images inside camlab.
func some(n int) (images.Dataset, error) {
	places := make([]int, n)
	for i := range places {
		places[i] = i
	}
	return images.Subset(cifar10.Sample(), places...)
}

func measure(ctx context.Context, b compute.Backend, w work) (*measured, error) {
	m := &measured{Backend: camlib.Describe(b), Devices: b.NumDevices(), Maps: make(map[string][]float32), Trainings: make(map[string]training)}
	if err := m.explain(ctx, b, w); err != nil {
		return nil, err
	}
	sgd := train.Config{Optimizer: train.SGD, LearningRate: 0.01}
	for _, row := range []struct {
		name    string
		net     func() *network.Network
		config  train.Config
		devices int
		leave   bool
	}{
		{byAdam, func() *network.Network { return article.New(1) }, train.Config{}, 1, false},
		{bySGD, func() *network.Network { return article.New(1) }, sgd, 1, false},
		{byDevices, func() *network.Network { return article.New(1) }, sgd, 2, m.Devices < 2},
		{ofBest, func() *network.Network { return best.New(1) }, sgd, 1, !w.Best},
	} {
		if row.leave {
			continue
		}
		row.config.Devices = row.devices
		t, err := follow(ctx, b, row.net(), row.config, w)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", row.name, err)
		}
		m.Trainings[row.name] = *t
	}
	return m, nil
}

// explain makes the maps.
func (m *measured) explain(ctx context.Context, b compute.Backend, w work) error {
	net, err := article.Pretrained()
	if err != nil {
		return err
	}
	e, err := cam.New(b, net, cam.Options{})
	if err != nil {
		return err
	}
	ds, err := some(w.Images)
	if err != nil {
		return err
	}
	x, err := images.FromDataset(ds, 0, w.Images)
	if err != nil {
		return err
	}
	for _, method := range closed() {
		r, err := e.Explain(ctx, method, x, cam.All)
		if err != nil {
			return err
		}
		m.Scores, m.Maps[method.Spec().Name] = r.Scores, r.Maps
	}
	return nil
}

// follow trains a network for some steps.
func follow(ctx context.Context, b compute.Backend, net *network.Network, c train.Config, w work) (*training, error) {
	ds, err := some(w.Steps * w.Batch)
	if err != nil {
		return nil, err
	}
	if net.Name == best.Name {
		if err := best.Whiten(net, ds); err != nil {
			return nil, err
		}
	}
	weights := func() (map[string][]float32, error) {
		all := make(map[string][]float32)
		for v := range net.Variables() {
			value, err := v.Value()
			if err == nil && v.Trainable {
				all[v.Path()], err = tensors.CopyFlatData[float32](value)
			}
			if err != nil {
				return nil, err
			}
		}
		return all, nil
	}
	before, err := weights()
	if err != nil {
		return nil, err
	}
	t := new(training)
	c.Epochs, c.BatchSize, c.Augment, c.Seed = 1, w.Batch, train.FlipCrop, 1
	c.OnStep = func(p train.Progress) { t.Losses = append(t.Losses, float32(p.Loss)) }
	h, err := train.Train(ctx, b, net, ds, ds, c)
	if err != nil {
		return nil, err
	}
	t.Losses = append(t.Losses, float32(h.Epochs[0].Test.Loss))
	if t.Moved, err = weights(); err != nil {
		return nil, err
	}
	for path, moved := range t.Moved {
		for i := range moved {
			moved[i] -= before[path][i]
		}
	}
	return t, nil
}
