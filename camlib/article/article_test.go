package cnn

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/ml/model"
	"github.com/nlpodyssey/safetensors"

	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/shared"
)

func TestNumberOfParametersIsTheArticles(t *testing.T) {
	if n := New(1).Store().NumParameters(); n != NumParameters {
		t.Errorf("%d parameters, want %d", n, NumParameters)
	}
}

func TestSeedDecidesTheWeights(t *testing.T) {
	a, b, c := encode(t, New(1)), encode(t, New(1)), encode(t, New(2))
	if !slices.Equal(a, b) {
		t.Error("seed 1 gave two sets of weights, want one")
	}
	if slices.Equal(a, c) {
		t.Error("seeds 1 and 2 gave the same weights")
	}
}

func TestModelComesBackFromItsFile(t *testing.T) {
	m := New(3)
	dir := t.TempDir()
	if err := m.Save(filepath.Join(dir, ModelFile)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, filepath.Join(dir, ModelFile)} {
		back, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range layers {
			for _, name := range []string{"weights", "biases"} {
				got, _ := back.values(l.scope, name)
				want, _ := m.values(l.scope, name)
				if !slices.Equal(got, want) {
					t.Errorf("%s/%s changed on the way through the file", l.scope, name)
				}
			}
		}
	}
}

func TestTorchOrder(t *testing.T) {
	// Tap (row 1, column 2), input 3, output 4 of conv2: [3, 3, 32, 32] here, [32, 32, 3, 3] in PyTorch.
	l := layers[1]
	w := make([]float32, 3*3*32*32)
	w[((1*3+2)*32+3)*32+4] = 7
	if got := l.toTorch(w)[((4*32+3)*3+1)*3+2]; got != 7 {
		t.Errorf("weight of output 4, input 3, row 1, column 2 is %v in PyTorch's order, want 7", got)
	}
	if !slices.Equal(l.fromTorch(l.toTorch(w)), w) {
		t.Error("weights changed on the way to PyTorch's order and back")
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
	ev := evaluate(t, m, cifar10.Sample())
	if math.Abs(ev.Accuracy-0.7852) > 0.039 {
		t.Errorf("accuracy %.4f on the sample, want 0.7852 within 0.039", ev.Accuracy)
	}
}

func TestPretrainedModelKeepsItsPromise(t *testing.T) {
	m, err := Pretrained()
	if err != nil {
		t.Fatal(err)
	}
	h, err := PretrainedHistory()
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Epochs) == 0 || h.Images != 50_000 || h.Augment != Article || h.Seed != 1 {
		t.Fatalf("log: %d epochs on %d images, augmentation %s, seed %d; want the article's training with seed 1", len(h.Epochs), h.Images, h.Augment, h.Seed)
	}
	last := h.Epochs[len(h.Epochs)-1].Test
	ev := evaluate(t, m, cifar10.Sample())
	if math.Abs(ev.MacroF1-last.MacroF1) > 0.04 { // three standard deviations of 1,000 images
		t.Errorf("macro-F1 %.4f on the sample, want the log's %.4f within 0.04", ev.MacroF1, last.MacroF1)
	}
	w, b, err := m.HeadWeights()
	if err != nil || len(w) != 128*10 || len(b) != 10 {
		t.Errorf("head: %d weights, %d biases, error %v; want 1280 and 10", len(w), len(b), err)
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
		{"another type", change(func(m map[string]safetensors.TensorView) { m["9.bias"] = zeros(safetensors.F16, 128) }),
			`tensor "9.bias": type F16, want F32`},
		{"not a number", change(func(m map[string]safetensors.TensorView) {
			v, err := view(append(make([]float32, 127), float32(math.NaN())), []int{128})
			if err != nil {
				t.Fatal(err)
			}
			m["9.bias"] = v
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

func TestFeaturesRefusesWrongImages(t *testing.T) {
	m := New(1)
	exec, err := model.NewExec(backendtest.XLA(t), m.store, m.Features)
	if err != nil {
		t.Fatal(err)
	}
	for _, dims := range [][]int{{1, 32, 31, 3}, {1, 32, 32, 1}, {32, 32, 3}} {
		_, err := exec.Exec(tensor(1, dims...))
		if err == nil || !strings.Contains(err.Error(), "want floats [batch, even height, even width, 3]") {
			t.Errorf("images shaped %v: error %v, want one that says the shape", dims, err)
		}
	}
}

func TestScoreCountsByHand(t *testing.T) {
	// Five images of classes a, a, b, b, c; predicted a, b, b, b, a. Class c is
	// never predicted, so its precision is a part of nothing.
	scores := []float32{
		2, 0, 0,
		0, 2, 0,
		0, 2, 0,
		0, 2, 0,
		2, 0, 0,
	}
	ev, err := Score(scores, []uint8{0, 0, 1, 1, 2}, []string{"a", "b", "c"})
	if err != nil {
		t.Fatal(err)
	}
	f1 := []float64{0.5, 0.8, 0}
	for k, want := range []ClassScore{{"a", 0.5, 0.5, f1[0]}, {"b", 2. / 3, 1, f1[1]}, {"c", 0, 0, f1[2]}} {
		got := ev.PerClass[k]
		if got.Class != want.Class || math.Abs(got.Precision-want.Precision) > 1e-12 || math.Abs(got.Recall-want.Recall) > 1e-12 || math.Abs(got.F1-want.F1) > 1e-12 {
			t.Errorf("class %s: %+v, want %+v", want.Class, got, want)
		}
	}
	right, wrong := math.Log(1+2*math.Exp(-2)), 2+math.Log(1+2*math.Exp(-2))
	if want := (3*right + 2*wrong) / 5; math.Abs(ev.Cost-want) > 1e-9 {
		t.Errorf("cost %v, want %v", ev.Cost, want)
	}
	if math.Abs(ev.Accuracy-0.6) > 1e-12 || math.Abs(ev.MacroF1-1.3/3) > 1e-12 || ev.Images != 5 {
		t.Errorf("accuracy %v, macro-F1 %v, %d images; want 0.6, %v, 5", ev.Accuracy, ev.MacroF1, ev.Images, 1.3/3)
	}
	if got := fmt.Sprint(ev.Confusion); got != "[[1 1 0] [0 2 0] [1 0 0]]" {
		t.Errorf("confusion %s, want [[1 1 0] [0 2 0] [1 0 0]]", got)
	}
	text, err := json.Marshal(ev)
	if err != nil || !strings.HasPrefix(string(text), `{"images":5,"loss":`) || !strings.Contains(string(text), `"per_class":[{"class":"a","precision":0.5,"recall":0.5,"f1":0.5}`) {
		t.Errorf("JSON %s, error %v; want the names of the scripts' contract", text, err)
	}
	if _, err := Score(scores, []uint8{0}, []string{"a", "b", "c"}); err == nil {
		t.Error("15 scores for one label of three classes: no error")
	}
	if _, err := Score(scores, []uint8{0, 0, 1, 1, 3}, []string{"a", "b", "c"}); err == nil || err.Error() != "cnn: score: label 3 of image 4, want 0 to 2" {
		t.Errorf("label out of range: error %v", err)
	}
}

func ExampleModel_Summary() {
	fmt.Print(New(1).Summary())
	// Output:
	// layer                    output        parameters
	// conv1 3×3, ReLU          [32 32 32]    896
	// conv2 3×3, ReLU          [32 32 32]    9248
	// max-pool 2×2             [16 16 32]    0
	// conv3 3×3, ReLU          [16 16 128]   36992
	// conv4 3×3, ReLU          [16 16 128]   147584
	// conv5 3×3, ReLU          [16 16 128]   147584
	// global average pooling   [128]         0
	// dense                    [10]          1290
	// all                                    343594
}

func ExampleProbabilities() {
	fmt.Printf("%.3f\n", Probabilities([]float32{1, 1, 1000, 1}))
	fmt.Printf("%.3f\n", Probabilities([]float32{0, float32(math.Log(3))}))
	// Output:
	// [0.000 0.000 1.000 0.000]
	// [0.250 0.750]
}

func encode(t *testing.T, m *Model) []byte {
	t.Helper()
	data, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestEvaluateWantsImages(t *testing.T) {
	e, err := NewEvaluator(backendtest.Go(t), New(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Evaluate(t.Context(), &cifar10.Dataset{}); err == nil || !strings.Contains(err.Error(), "at least one label") {
		t.Errorf("error %v, want one that asks for images", err)
	}
}

func evaluate(t *testing.T, m *Model, ds *cifar10.Dataset) *Evaluation {
	t.Helper()
	e, err := NewEvaluator(backendtest.XLA(t), m)
	if err != nil {
		t.Fatal(err)
	}
	ev, err := e.Evaluate(t.Context(), ds)
	if err != nil {
		t.Fatal(err)
	}
	return ev
}
