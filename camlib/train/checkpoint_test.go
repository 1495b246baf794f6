package train

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// TestOtherSettingsAreRefused: a whole checkpoint of another training, also of one
// on as many other images, is neither gone on from nor overwritten.
func TestOtherSettingsAreRefused(t *testing.T) {
	for _, row := range []struct {
		what   string
		change func(*Config, *set)
		want   string
	}{
		{"seed", func(c *Config, _ *set) { c.Seed = 6 }, "seed 5, this training has 6; use the same, or another folder"},
		{"batch", func(c *Config, _ *set) { c.BatchSize = 20 }, "batch size 10, this training has 20"},
		{"learning rate", func(c *Config, _ *set) { c.LearningRate = 0.01 }, "learning rate 0.001, this training has 0.01"},
		{"augmentation", func(c *Config, _ *set) { c.Augment = None }, "augmentation flipcrop, this training has none"},
		{"a pixel", func(_ *Config, ds *set) { ds.pixels[7]++ }, "training images and labels of sha256"},
		{"a label", func(_ *Config, ds *set) { ds.labels[7] = 9 - ds.labels[7] }, "training images and labels of sha256"},
		{"an image fewer", func(_ *Config, ds *set) {
			fewer, err := images.NewMemory(ds.Size(), ds.Classes(), ds.pixels[len(ds.pixels)/20:], ds.labels[1:])
			if err != nil {
				t.Fatal(err)
			}
			ds.Memory = fewer
		}, "training images 20, this training has 19"},
	} {
		t.Run(row.what, func(t *testing.T) {
			config, ds, c := made(t)
			data, err := c.encode()
			if err != nil {
				t.Fatal(err)
			}
			put(t, config.Dir, TrainingFile, data)
			before := written(t, config.Dir)
			row.change(&config, ds)
			_, _, err = run(t, config, ds)
			if err == nil || !strings.Contains(err.Error(), row.want) || !maps.Equal(written(t, config.Dir), before) {
				t.Errorf("error %v, want one that says %q, and nothing changed", err, row.want)
			}
		})
	}
	config, ds, c := made(t)
	data, err := c.encode()
	if err != nil {
		t.Fatal(err)
	}
	put(t, config.Dir, TrainingFile, data)
	_, err = Train(t.Context(), backendtest.Go(t), tiny(1), ds, few(t, 10), config)
	if err == nil || !strings.Contains(err.Error(), "test images and labels of sha256") {
		t.Errorf("other test images: error %v", err)
	}
}

// TestRoom: a checkpoint has all parameters, and the model, which has no moments, once more;
// averages of batch normalization have none either.
func TestRoom(t *testing.T) {
	net, ds := own(), patterns(t, 4)
	if err := prepare(backendtest.Go(t), net, ds, 1); err != nil {
		t.Fatal(err)
	}
	values, moments := 0, 0
	for v := range net.Variables() {
		values += v.Shape().Size()
		if v.Trainable {
			moments += 2 * v.Shape().Size()
		}
	}
	state := net.Store.GetVariable("/" + model.RNGStateVariableName).Shape() // the one variable that is not of float32
	want := 2*(4*(values-state.Size())+int(state.ByteSize())) + 4*moments
	if got := (content{"own", withAdam(t, net)}).room(); got != want {
		t.Errorf("room for %d bytes, want %d", got, want)
	}
}

// TestNothingBrokenIsSaved: a weight or a moment that is no finite number ends in an
// error that says which, and the checkpoint and the model before stay.
func TestNothingBrokenIsSaved(t *testing.T) {
	for _, p := range holds().parameters {
		config, ds, c := made(t)
		f := open(t, config.Dir)
		if err := f.save(c); err != nil {
			t.Fatal(err)
		}
		net := tiny(1)
		binary.LittleEndian.PutUint32(c.values[p.name].Data()[4*3:], math.Float32bits(float32(math.NaN())))
		withAdam(t, net)
		if err := c.values.set(net.Store, holds().parameters); err != nil {
			t.Fatal(err)
		}
		before := written(t, config.Dir)
		tr := &training{config: config, net: net, holds: holds(), train: ds, folder: f, state: c.state}
		err := tr.save()
		want := fmt.Sprintf("train: epoch 3, step 0: tensor %q: value 3 is NaN, want finite numbers; try a smaller learning rate than", p.name)
		if err == nil || !strings.HasPrefix(err.Error(), want) || !maps.Equal(written(t, config.Dir), before) {
			t.Errorf("error %v, want one that begins with %q, and the folder as it was", err, want)
		}
		if _, err := net.Encode(); p.kind == "" && err == nil {
			t.Errorf("%s: a model with NaN was encoded", p.name)
		}
		f.close()
	}
}
