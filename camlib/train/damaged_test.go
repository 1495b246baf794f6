package train

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nlpodyssey/safetensors"

	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// TestDamagedCheckpointsAreRefused: none of them is gone on from, by itself none
// makes a training begin anew over what is there, and beside a good one before
// it that one is taken. Those that no accident makes have a right checksum.
func TestDamagedCheckpointsAreRefused(t *testing.T) {
	config, ds, c := made(t)
	good, err := c.encode()
	if err != nil {
		t.Fatal(err)
	}
	file, err := safetensors.Deserialize(good)
	if err != nil {
		t.Fatal(err)
	}
	size, meta, err := safetensors.ReadMetadata(good)
	if err != nil {
		t.Fatal(err)
	}
	raw := func(change func([]byte) []byte) func() []byte {
		return func() []byte { return change(slices.Clone(good)) }
	}
	flip := func(at func() int) func() []byte {
		return raw(func(d []byte) []byte { d[at()] ^= 0x10; return d })
	}
	inHeader := func(what string) func() []byte {
		return flip(func() int { return bytes.Index(good, []byte(what)) + len(what)/2 })
	}
	inTensor := func(name string) func() []byte {
		return flip(func() int {
			v, ok := file.Tensor(name)
			if !ok {
				t.Fatalf("no tensor %s", name)
			}
			return bytes.Index(good, v.Data()[:min(len(v.Data()), 4096)]) + 64
		})
	}
	sealed := func(change func(views map[string]safetensors.TensorView, meta map[string]string)) func() []byte {
		return func() []byte {
			views := make(map[string]safetensors.TensorView)
			for _, n := range file.Names() {
				views[n], _ = file.Tensor(n)
			}
			info := maps.Clone(meta.Metadata())
			change(views, info)
			if info[checksum] != "" {
				info[checksum] = noSum
			}
			data, err := safetensors.Serialize(views, info)
			if err != nil {
				t.Fatal(err)
			}
			if info[checksum] != "" {
				if err := seal(data); err != nil {
					t.Fatal(err)
				}
			}
			return data
		}
	}
	tensors := func(change func(views map[string]safetensors.TensorView)) func() []byte {
		return sealed(func(views map[string]safetensors.TensorView, _ map[string]string) { change(views) })
	}
	without := func(part string) func() []byte {
		return tensors(func(views map[string]safetensors.TensorView) {
			maps.DeleteFunc(views, func(name string, _ safetensors.TensorView) bool { return strings.Contains(name, part) })
		})
	}
	value := func(name string, v float32) func() []byte {
		return tensors(func(views map[string]safetensors.TensorView) {
			old := views[name]
			data := slices.Clone(old.Data())
			binary.LittleEndian.PutUint32(data[4:], math.Float32bits(v))
			views[name], _ = safetensors.NewTensorView(old.DType(), old.Shape(), data)
		})
	}
	shaped := func(name string, dtype safetensors.DType, shape ...uint64) func() []byte {
		return tensors(func(views map[string]safetensors.TensorView) {
			n := dtype.Size()
			for _, d := range shape {
				n *= d
			}
			views[name], _ = safetensors.NewTensorView(dtype, shape, make([]byte, n))
		})
	}
	stated := func(change func(*state)) func() []byte {
		return sealed(func(_ map[string]safetensors.TensorView, meta map[string]string) {
			var s state
			if err := json.Unmarshal([]byte(meta["training"]), &s); err != nil {
				t.Fatal(err)
			}
			change(&s)
			data, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			meta["training"] = string(data)
		})
	}
	noted := func(key, value string) func() []byte {
		return sealed(func(_ map[string]safetensors.TensorView, meta map[string]string) { meta[key] = value })
	}
	stands := func(p position) func() []byte { return stated(func(s *state) { s.Position = p }) }
	first := func(change func(*state)) func() []byte { // of the first epoch, where there is no model
		return func() []byte {
			s := *c
			s.model = nil
			s.Position, s.History.Epochs, s.History.ModelData = position{Step: 1, LossSum: 20, Seconds: 1}, nil, ""
			change(&s.state)
			data, err := s.encode()
			if err != nil {
				t.Fatal(err)
			}
			return data
		}
	}
	const cut, sum = "cut short, or not a safetensors file", "damaged: its checksum is of other contents"
	kinds := []struct {
		what string
		data func() []byte // nil is a folder in place of the file
		want string
	}{
		{"an empty file", func() []byte { return nil }, cut},
		{"cut in the header's length", raw(func(d []byte) []byte { return d[:7] }), cut},
		{"cut after the header's length", raw(func(d []byte) []byte { return d[:8] }), cut},
		{"cut in the header", raw(func(d []byte) []byte { return d[:8+size/2] }), cut},
		{"cut after the header", raw(func(d []byte) []byte { return d[:8+size] }), sum},
		{"cut in the middle", raw(func(d []byte) []byte { return d[:len(d)/2] }), sum},
		{"cut by one byte", raw(func(d []byte) []byte { return d[:len(d)-1] }), sum},
		{"a byte too many", raw(func(d []byte) []byte { return append(d, 0) }), sum},
		{"itself twice", raw(func(d []byte) []byte { return append(d, d...) }), sum},
		{"text", func() []byte { return []byte("half a file") }, cut},
		{"zeros", raw(func(d []byte) []byte { return make([]byte, len(d)) }), "no checksum"},
		{"a bit of the header's length", flip(func() int { return 0 }), sum},
		{"a high bit of the header's length", flip(func() int { return 7 }), cut},
		{"a bit of a tensor's name", inHeader("first/conv2/weights"), sum},
		{"a bit of a type", inHeader(`"F32"`), sum},
		{"a bit of an offset", inHeader(`"data_offsets":[0,`), sum},
		{"a bit of the architecture", inHeader(`"tiny"`), sum},
		{"a bit of the position", inHeader(`cost_sum\":`), sum},
		{"a bit of the log", inHeader(`macro_f1\":0`), sum},
		{"a bit of the checksum", flip(func() int { return bytes.Index(good, []byte(meta.Metadata()[checksum])) }), sum},
		{"a bit of the checksum's name", inHeader(`"` + checksum + `":"`), "no checksum"},
		{"a bit of the weights", inTensor("conv2/weights"), sum},
		{"a bit of a bias", inTensor("dense/weights"), sum},
		{"a bit of a first moment", inTensor("optimizers/first/conv2/weights"), sum},
		{"a bit of a second moment", inTensor("optimizers/second/conv1/weights"), sum},
		{"a bit of the model", inTensor(network.ModelFile), sum},
		{"the last bit", flip(func() int { return len(good) - 1 }), sum},
		{"a page of zeros", raw(func(d []byte) []byte { clear(d[len(d)/4:][:512]); return d }), sum},
		{"two pages exchanged", raw(func(d []byte) []byte {
			a := slices.Clone(d[len(d)/4:][:512])
			copy(d[len(d)/4:], d[len(d)/2:][:512])
			copy(d[len(d)/2:], a)
			return d
		}), sum},
		{"the model in its place", func() []byte { return c.model }, "no checksum"},
		{"the log in its place", func() []byte { data, _ := c.History.encode(); return data }, cut},
		{"a folder in its place", nil, "is a directory"},

		{"no checksum, as before there was one", sealed(func(_ map[string]safetensors.TensorView, meta map[string]string) { delete(meta, checksum) }), "no checksum"},
		{"another architecture", noted("architecture", "resnet18"), `architecture "resnet18", want "tiny"`},
		{"no position and log", noted("training", ""), "its settings and position"},
		{"a position and log of other types", noted("training", `{"position":[]}`), "its settings and position"},
		{"an empty position and log", noted("training", `{}`), `architecture "", want`},
		{"a loss of no size", sealed(func(_ map[string]safetensors.TensorView, meta map[string]string) {
			meta["training"] = strings.Replace(meta["training"], `"cost_sum":0`, `"cost_sum":1e999`, 1)
		}), "cannot unmarshal number 1e999"},
		{"no tensors", without(""), `no tensor "conv1/weights"`},
		{"no weights of a layer", without("conv2/weights"), `no tensor "conv2/weights"`},
		{"no bias", without("dense/biases"), `no tensor "dense/biases"`},
		{"no moments", without("optimizers"), `no tensor "optimizers/first/conv1/weights"`},
		{"no first moment", without("first/conv2/biases"), `no tensor "optimizers/first/conv2/biases"`},
		{"no second moment", without("second/conv2/biases"), `no tensor "optimizers/second/conv2/biases"`},
		{"no model", without(network.ModelFile), "model there: false after 2 whole epochs"},
		{"a tensor too many", shaped("conv6/weights", safetensors.F32, 2), `tensor "conv6/weights", want only`},
		{"weights of another shape", shaped("conv2/biases", safetensors.F32, 8), `tensor "conv2/biases": shape [8], want [16]`},
		{"weights transposed", shaped("dense/weights", safetensors.F32, 10, 16), `tensor "dense/weights": shape [10 16], want [16 10]`},
		{"weights of another type", shaped("conv2/biases", safetensors.F16, 16), `tensor "conv2/biases": type F16, want F32`},
		{"a weight that is NaN", value("conv1/weights", float32(math.NaN())), `tensor "conv1/weights": value 1 is NaN, want finite`},
		{"a weight that is infinite", value("dense/weights", float32(math.Inf(-1))), `tensor "dense/weights": value 1 is -Inf, want finite`},
		{"a first moment that is NaN", value("optimizers/first/dense/biases", float32(math.NaN())), "value 1 is NaN"},
		{"a second moment that is infinite", value("optimizers/second/dense/biases", float32(math.Inf(1))), "value 1 is +Inf"},
		{"a second moment that is negative", value("optimizers/second/conv2/weights", -1e-30), "value 1 is -1e-30, want 0 or more"},
		{"step -1", stands(position{Epoch: 2, Step: -1}), "step -1, want 0 to the 2 of an epoch"},
		{"step 99", stands(position{Epoch: 2, Step: 99, LossSum: 1}), "step 99, want 0 to the 2 of an epoch"},
		{"epoch -1", stands(position{Epoch: -1}), "-1 epochs done, want the 2 of its log"},
		{"epoch 7 of 2", stands(position{Epoch: 7}), "7 epochs done, want the 2 of its log"},
		{"a negative loss", stands(position{Epoch: 2, Step: 1, LossSum: -1}), "loss -1 after 1 steps"},
		{"a loss before the first step", stands(position{Epoch: 2, LossSum: 1}), "loss 1 after 0 steps"},
		{"negative seconds", stands(position{Epoch: 2, Step: 1, Seconds: -1}), "-1 seconds after 1 steps"},
		{"seconds before the first step", stands(position{Epoch: 2, Seconds: 1}), "1 seconds after 0 steps"},
		{"a log without its epochs", stated(func(s *state) { s.History.Epochs = nil }), "2 epochs done, want the 0 of its log"},
		{"a log with an epoch twice", stated(func(s *state) { s.History.Epochs[1].Epoch = 1 }), "epoch 1 in the place of epoch 2"},
		{"a log with a negative loss", stated(func(s *state) { s.History.Epochs[1].Test.Loss = -1 }), "epoch 2: losses 2 and -1"},
		{"a log with an accuracy of 7", stated(func(s *state) { s.History.Epochs[1].Test.Accuracy = 7 }), "epoch 2: accuracy 7"},
		{"no batch", stated(func(s *state) { s.History.Config.BatchSize = 0 }), "batch size 0"},
		{"negative images", stated(func(s *state) { s.History.Images = -1 }), "-1 images"},
		{"no learning rate", stated(func(s *state) { s.History.Config.LearningRate = 0 }), "learning rate 0"},
		{"no such augmentation", stated(func(s *state) { s.History.Config.Augment = "cutmix" }), `augmentation "cutmix"`},
		{"another model", shaped(network.ModelFile, safetensors.U8, 9), "want that of the log's last epoch"},
		{"a model that is not the log's", stated(func(s *state) { s.History.ModelData = "" }), "want that of the log's last epoch"},
		{"step -1 of the first epoch", first(func(s *state) { s.Position.Step = -1 }), "step -1, want 0 to the 2 of an epoch"},
		{"step 3 of 2 of the first epoch", first(func(s *state) { s.Position.Step = 3 }), "step 3, want 0 to the 2 of an epoch"},
	}
	t.Logf("%d kinds", len(kinds))
	net := tiny(99)
	for _, k := range kinds {
		t.Run(k.what, func(t *testing.T) {
			config := config
			config.Dir = t.TempDir()
			if k.data != nil {
				put(t, config.Dir, TrainingFile, k.data())
			} else if err := os.Mkdir(filepath.Join(config.Dir, TrainingFile), 0o755); err != nil {
				t.Fatal(err)
			}
			before := written(t, config.Dir)
			_, err := Train(t.Context(), backendtest.Go(t), net, ds, ds, config)
			for _, want := range []string{filepath.Join(config.Dir, TrainingFile), k.want, "put a good copy in its place, or choose another folder"} {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want one that says %q", err, want)
				}
			}
			if !maps.Equal(written(t, config.Dir), before) {
				t.Error("the folder was changed")
			}

			put(t, config.Dir, PreviousFile, []byte("x"))
			_, err = Train(t.Context(), backendtest.Go(t), net, ds, ds, config)
			if err == nil || !strings.Contains(err.Error(), k.want) || !strings.Contains(err.Error(), PreviousFile+": "+cut) {
				t.Errorf("both damaged: error %v, want one that says both", err)
			}

			put(t, config.Dir, PreviousFile, good)
			before = written(t, config.Dir)
			other := config
			other.Seed++
			if _, err := Train(t.Context(), backendtest.Go(t), net, ds, ds, other); err == nil || !strings.Contains(err.Error(), "this training has") {
				t.Errorf("another seed: error %v, want one that says so", err)
			}
			if !maps.Equal(written(t, config.Dir), before) {
				t.Error("a training that is refused changed the folder")
			}
			var notice string
			config.OnNotice = func(text string) { notice = text }
			h, err := Train(t.Context(), backendtest.Go(t), net, ds, ds, config)
			if err != nil || len(h.Epochs) != 2 || !slices.Equal(encode(t, net), c.model) {
				t.Fatalf("beside a good one before it: error %v, want the two epochs and the model of that", err)
			}
			if !strings.Contains(notice, k.want) || !strings.Contains(notice, "going on from the checkpoint before it, epoch 3, step 0") {
				t.Errorf("notice %q, want what is wrong and what was done", notice)
			}
			after := written(t, config.Dir)
			if after[TrainingFile] != string(good) || after["training.damaged.safetensors"] != before[TrainingFile] || after[network.ModelFile] != string(c.model) {
				t.Error("want the good checkpoint in the place of the damaged one, that kept under another name, and the model written")
			}
		})
	}
}
