package network_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/backendtest"
)

func TestRandomized(t *testing.T) {
	net := article.New(1)
	if got, want := fmt.Sprint(net.Scopes()), "[conv1 conv2 conv3 conv4 conv5 dense]"; got != want {
		t.Errorf("scopes %s, want %s", got, want)
	}
	before := backendtest.Variables(t, net.Store)
	deep, err := network.Randomized(net, network.Permute, 7, "dense", "conv5")
	if err != nil {
		t.Fatal(err)
	}
	deeper, err := network.Randomized(net, network.Permute, 7, "dense", "conv5", "conv4")
	if err != nil {
		t.Fatal(err)
	}
	other, err := network.Randomized(net, network.Permute, 8, "dense")
	if err != nil {
		t.Fatal(err)
	}
	normal, err := network.Randomized(net, network.Normal, 7, "conv4")
	if err != nil {
		t.Fatal(err)
	}
	after, a, b, c, d := backendtest.Variables(t, net.Store), backendtest.Variables(t, deep.Store), backendtest.Variables(t, deeper.Store), backendtest.Variables(t, other.Store), backendtest.Variables(t, normal.Store)
	for name, w := range before {
		if !slices.Equal(w, after[name]) {
			t.Errorf("%s of the network itself changed", name)
		}
	}
	for _, row := range []struct {
		rule  string
		equal bool
		x, y  []float32
	}{
		{"a layer that is not named stays", true, before["/conv1/weights"], a["/conv1/weights"]},
		{"a layer that is named is drawn anew", false, before["/conv5/weights"], a["/conv5/weights"]},
		{"the copies of a cascade agree", true, a["/conv5/weights"], b["/conv5/weights"]},
		{"a cascade goes deeper", false, a["/conv4/weights"], b["/conv4/weights"]},
		{"another seed, another draw", false, a["/dense/weights"], c["/dense/weights"]},
		{"normal draws", false, before["/conv4/weights"], d["/conv4/weights"]},
		{"and no others", true, before["/dense/weights"], d["/dense/weights"]},
	} {
		if slices.Equal(row.x, row.y) != row.equal || len(row.x) != len(row.y) {
			t.Errorf("%s: equal is %t", row.rule, !row.equal)
		}
	}
	x, y := slices.Sorted(slices.Values(before["/conv5/weights"])), slices.Sorted(slices.Values(a["/conv5/weights"]))
	if !slices.Equal(x, y) {
		t.Error("a permuted variable has other values")
	}
	m0, sd0 := moments(before["/conv4/weights"])
	m1, sd1 := moments(d["/conv4/weights"])
	if math.Abs(m0-m1) > 5*sd0/math.Sqrt(147456) || math.Abs(sd1/sd0-1) > 0.01 { // of 147,456 weights
		t.Errorf("mean and deviation %v and %v, want about %v and %v", m1, sd1, m0, sd0)
	}
	fours := make([]float32, 1000) // 4 and 6 in turn
	for i := range fours {
		fours[i] = 4 + 2*float32(i%2)
	}
	store := model.NewStore()
	store.VariableWithValue("head/a", tensors.FromFlatDataAndDimensions(fours, 1000))
	drawn, err := network.Randomized(&network.Network{Store: store}, network.Normal, 1, "head")
	if err != nil {
		t.Fatal(err)
	}
	if mean, sd := moments(backendtest.Variables(t, drawn.Store)["/head/a"]); math.Abs(mean-5) > 0.1 || math.Abs(sd-1) > 0.07 { // 3 deviations of 1/√1000 and 1/√2000
		t.Errorf("mean and deviation %v and %v, want about 5 and 1", mean, sd)
	}
	if !slices.Equal(deep.Classes, net.Classes) || !slices.Equal(deep.LayerNames(), net.LayerNames()) || deep.Layers[4].Bias == nil {
		t.Errorf("classes %v, layers %v, want the network's, with biases", deep.Classes, deep.LayerNames())
	}
	_, err = network.Randomized(net, network.Permute, 1, "conv6")
	if want := `network: randomized: scope "conv6", want some of conv1, conv2, conv3, conv4, conv5, dense`; !errors.Is(err, network.ErrLayer) || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	_, err = network.Randomized(net, 9, 1, "conv1")
	if want := "network: randomized: redraw 9, want Permute or Normal"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func moments(w []float32) (mean, sd float64) {
	for _, v := range w {
		mean += float64(v) / float64(len(w))
	}
	for _, v := range w {
		sd += (float64(v) - mean) * (float64(v) - mean) / float64(len(w))
	}
	return mean, math.Sqrt(sd)
}
