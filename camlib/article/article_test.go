package article

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/nlpodyssey/safetensors"

	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/camlib/score"
	"github.com/camlab-go/camlab/camlib/train"
	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/shared"
	weightfile "github.com/camlab-go/camlab/internal/weights"
)

func few(t *testing.T, n int) images.Dataset {
	t.Helper()
	var positions []int
	for i := range n {
		positions = append(positions, (i*101)%cifar10.Sample().Len())
	}
	ds, err := images.Subset(cifar10.Sample(), positions...)
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

func encode(t *testing.T, net *network.Network) []byte {
	t.Helper()
	data, err := net.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func evaluate(t *testing.T, b compute.Backend, net *network.Network, ds images.Dataset) *score.Evaluation {
	t.Helper()
	e, err := train.NewEvaluator(b, net)
	if err != nil {
		t.Fatal(err)
	}
	ev, err := e.Evaluate(t.Context(), ds)
	if err != nil {
		t.Fatal(err)
	}
	return ev
}

func TestNetworkIsTheArticles(t *testing.T) {
	net := New(1)
	if n := net.Store.NumParameters(); n != NumParameters {
		t.Errorf("%d parameters, want %d", n, NumParameters)
	}
	if err := net.Check(); err != nil {
		t.Error(err)
	}
	if want := cifar10.Classes[:]; !slices.Equal(net.Classes, want) {
		t.Errorf("classes %v, want %v", net.Classes, want)
	}
	if got := net.LayerNames(); !slices.Equal(got, []string{"conv1", "conv2", "conv3", "conv4", "conv5"}) {
		t.Errorf("layers %v, want conv1 to conv5", got)
	}
}

// TestFreshWeights: the seed decides them, they are spread as He et al. say, and those of
// seed 1 are the ones that the shipped network was trained from.
func TestFreshWeights(t *testing.T) {
	first := encode(t, New(1))
	if !slices.Equal(first, encode(t, New(1))) {
		t.Error("seed 1 gave two sets of weights, want one")
	}
	if slices.Equal(first, encode(t, New(2))) {
		t.Error("seeds 1 and 2 gave the same weights")
	}
	if got := fmt.Sprintf("%x", sha256.Sum256(first)); got != "7c5407152d41533b19c83de353b3e165e0494fb9a5455be6f814b066ac8342cb" {
		t.Errorf("weights of seed 1: sha256 %s", got)
	}
	for _, p := range parts {
		w, err := New(1).Values(p.name + "/weights")
		if err != nil {
			t.Fatal(err)
		}
		square := 0.0
		for _, v := range w {
			square += float64(v) * float64(v) / float64(len(w))
		}
		inputs := float64(len(w) / p.outputs())
		want := math.Sqrt(2 / inputs)
		// Five times the estimate's own standard deviation, 1/√(2n) of it.
		if got := math.Sqrt(square); math.Abs(got/want-1) > 5/math.Sqrt(2*float64(len(w))) {
			t.Errorf("%s: standard deviation %.5f, want %.5f", p.name, got, want)
		}
		if b, err := New(1).Values(p.name + "/biases"); err != nil || slices.Max(b) != 0 || slices.Min(b) != 0 {
			t.Errorf("%s: biases %v, error %v, want zeros", p.name, b, err)
		}
	}
}

// TestNetworkComesBackFromItsFile, the shipped one byte for byte.
func TestNetworkComesBackFromItsFile(t *testing.T) {
	net := New(3)
	dir := t.TempDir()
	if err := net.Save(filepath.Join(dir, network.ModelFile)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, filepath.Join(dir, network.ModelFile)} {
		back, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		for v := range net.Variables() {
			path := v.Path()[1:]
			got, errGot := back.Values(path)
			want, errWant := net.Values(path)
			if errGot != nil || errWant != nil || !slices.Equal(got, want) {
				t.Errorf("%s changed on the way through the file", path)
			}
		}
	}
	shipped, err := Pretrained()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(encode(t, shipped), shippedModel) {
		t.Error("the shipped weights are encoded as other bytes")
	}
}

func TestTorchOrder(t *testing.T) {
	// Tap (row 1, column 2), input 3, output 4 of conv2: [3, 3, 32, 32] here, [32, 32, 3, 3] in
	// PyTorch. Input 5, output 6 of the head: [128, 10] here, [10, 128] in PyTorch.
	net := New(1)
	set := func(path string, at int, dims ...int) {
		w, err := net.Values(path)
		if err != nil {
			t.Fatal(err)
		}
		w[at] = 7
		if err := net.Store.GetVariable("/" + path).SetValue(tensors.FromFlatDataAndDimensions(w, dims...)); err != nil {
			t.Fatal(err)
		}
	}
	set("conv2/weights", ((1*3+2)*32+3)*32+4, 3, 3, 32, 32)
	set("dense/weights", 5*10+6, 128, 10)
	file, err := safetensors.Deserialize(encode(t, net))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, what string
		dims       []int
		at         int
	}{
		{"2.weight", "output 4, input 3, row 1, column 2", []int{32, 32, 3, 3}, ((4*32+3)*3+1)*3 + 2},
		{"13.weight", "output 6, input 5", []int{10, 128}, 6*128 + 5},
	} {
		view, _ := file.Tensor(c.name)
		w, err := weightfile.Tensor(view, shapes.Make(dtypes.Float32, c.dims...))
		if err != nil {
			t.Fatal(err)
		}
		if got := tensors.MustCopyFlatData[float32](w)[c.at]; got != 7 {
			t.Errorf("%s: weight of %s is %v, want 7 in PyTorch's order", c.name, c.what, got)
		}
	}
}

func TestPretrainedKeepsItsPromise(t *testing.T) {
	net, err := Pretrained()
	if err != nil {
		t.Fatal(err)
	}
	h, err := Log()
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Epochs) == 0 || h.Images != 50_000 || h.Config.Augment != train.Article || h.Config.Seed != 1 {
		t.Fatalf("log: %d epochs on %d images, augmentation %s, seed %d; want the article's training with seed 1", len(h.Epochs), h.Images, h.Config.Augment, h.Config.Seed)
	}
	last := h.Epochs[len(h.Epochs)-1].Test
	ev := evaluate(t, backendtest.XLA(t), net, cifar10.Sample())
	if math.Abs(ev.MacroF1-last.MacroF1) > 0.04 { // three standard deviations of 1,000 images
		t.Errorf("macro-F1 %.4f on the sample, want the log's %.4f within 0.04", ev.MacroF1, last.MacroF1)
	}
	w, b, err := HeadWeights(net)
	if err != nil || len(w) != 128*10 || len(b) != 10 {
		t.Errorf("head: %d weights, %d biases, error %v; want 1280 and 10", len(w), len(b), err)
	}
}

func TestReferenceModelScoresAsInPyTorch(t *testing.T) {
	// The log of the reference: test accuracy 0.7852 in bfloat16 autocast. The
	// sample is a tenth of the test set, so it may differ by three standard
	// deviations of its own, 3·sqrt(0.785·0.215/1000) = 0.039.
	m, err := Load(filepath.Join(shared.Reference(t), "article_torch.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	ev := evaluate(t, backendtest.XLA(t), m, cifar10.Sample())
	if math.Abs(ev.Accuracy-0.7852) > 0.039 {
		t.Errorf("accuracy %.4f on the sample, want 0.7852 within 0.039", ev.Accuracy)
	}
}

func TestLoadSaysWhatIsWrong(t *testing.T) {
	good := encode(t, New(1))
	change := func(f func(map[string]safetensors.TensorView)) []byte {
		file, err := safetensors.Deserialize(good)
		if err != nil {
			t.Fatal(err)
		}
		all := make(map[string]safetensors.TensorView)
		for _, n := range file.Names() {
			all[n], _ = file.Tensor(n)
		}
		f(all)
		data, err := safetensors.Serialize(all, nil)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	zeros := func(dtype safetensors.DType, shape ...uint64) safetensors.TensorView {
		n := dtype.Size()
		for _, d := range shape {
			n *= d
		}
		v, err := safetensors.NewTensorView(dtype, shape, make([]byte, n))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct {
		what string
		data []byte
		want string
	}{
		{"no such file", nil, "want a checkpoint folder or a .safetensors file"},
		{"not safetensors", []byte("PK\x03\x04 something else"), "not a safetensors file"},
		{"cut short", good[:len(good)-1], "not a safetensors file"},
		{"a layer too many", change(func(m map[string]safetensors.TensorView) { m["11.weight"] = zeros(safetensors.F32, 2) }),
			`another architecture: tensor "11.weight", want only those of article-gap-cnn: 0.weight, 0.bias,`},
		{"a layer missing", change(func(m map[string]safetensors.TensorView) { delete(m, "9.bias") }),
			`another architecture: no tensor "9.bias"`},
		{"another width", change(func(m map[string]safetensors.TensorView) { m["9.bias"] = zeros(safetensors.F32, 64) }),
			`another architecture: tensor "9.bias": shape [64], want [128]`},
		{"another type", change(func(m map[string]safetensors.TensorView) { m["9.bias"] = zeros(safetensors.I32, 128) }),
			`tensor "9.bias": type I32, want F16, BF16, F32 or F64`},
		{"not a number", change(func(m map[string]safetensors.TensorView) {
			m["9.bias"] = zeros(safetensors.F32, 128)
			binary.LittleEndian.PutUint32(m["9.bias"].Data()[4*127:], math.Float32bits(float32(math.NaN())))
		}), `tensor "9.bias": value 127 is NaN, want finite numbers`},
	} {
		path := filepath.Join(t.TempDir(), "m.safetensors")
		if c.data != nil {
			if err := os.WriteFile(path, c.data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		_, err := Load(path)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v\nwant one that names %s and says %q", c.what, err, path, c.want)
		}
	}
}

func TestClippedLoss(t *testing.T) {
	// Row 2 is a probability of e-30, below the article's clip at 1e-10: there
	// the clipped loss stops at -log(1e-10), the stable one does not.
	run := func(scores [][]float32, labels []uint8) (loss, clipped float32) {
		t.Helper()
		out, err := graph.CallOnceN(backendtest.Go(t), func(s, label *graph.Node) []*graph.Node {
			return []*graph.Node{score.Loss(s, label), ClippedLoss(s, label)}
		}, scores, labels)
		if err != nil {
			t.Fatal(err)
		}
		return tensors.ToScalar[float32](out[0]), tensors.ToScalar[float32](out[1])
	}
	loss, clipped := run([][]float32{{1, 2, 0.5}, {-3, 0, 4}}, []uint8{1, 2})
	// By hand: -log(e^2/(e+e^2+e^0.5)) and -log(e^4/(e^-3+1+e^4)), mean.
	want := (-math.Log(math.Exp(2)/(math.E+math.Exp(2)+math.Exp(0.5))) - math.Log(math.Exp(4)/(math.Exp(-3)+1+math.Exp(4)))) / 2
	backendtest.Near(t, "loss and clipped loss", []float32{loss, clipped}, []float32{float32(want), float32(want)}, 1e-6)

	loss, clipped = run([][]float32{{0, 30, 0}}, []uint8{0})
	backendtest.Near(t, "loss of an unlikely label", []float32{loss}, []float32{30}, 1e-6)
	backendtest.Near(t, "clipped loss of an unlikely label", []float32{clipped}, []float32{float32(-math.Log(1e-10))}, 1e-6)
}
