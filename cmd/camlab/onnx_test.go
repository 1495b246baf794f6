package main

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	gomlx "github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/network"
	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/onnxtest"
	"github.com/camlab-go/camlab/internal/plugin"
)

// near compares two arrays of files, relative to the largest value of the second.
func near(t *testing.T, got, want string, tolerance float64) {
	t.Helper()
	a, _ := array(t, got)
	b, _ := array(t, want)
	largest, difference := 0.0, 0.0
	for i := range b {
		largest = math.Max(largest, math.Abs(float64(b[i])))
		difference = math.Max(difference, math.Abs(float64(a[i]-b[i])))
	}
	if len(a) != len(b) || !(difference <= tolerance*largest) {
		t.Errorf("%s: %d values, %d wanted, off by %v of %v", got, len(a), len(b), difference, largest)
	}
}

// TestExplainONNX has an ONNX file explained on the array that PyTorch had, and on a photo.
func TestExplainONNX(t *testing.T) {
	dir, out := onnxtest.Networks(t), filepath.Join(t.TempDir(), "out")
	model := filepath.Join(dir, "residual_dynamo.onnx")
	x := filepath.Join(dir, "residual_x.npy")
	if _, err := command(t, "explain", "--model", model, "--input", x, "--method", "gradcam,hirescam", "--out", out, "--pictures=false"); err != nil {
		t.Fatal(err)
	}
	near(t, filepath.Join(out, "logits.npy"), filepath.Join(dir, "residual_logits.npy"), 1e-5)
	near(t, filepath.Join(out, "maps_gradcam.npy"), filepath.Join(dir, "residual_gradcam.npy"), 1e-4)
	near(t, filepath.Join(out, "maps_hirescam.npy"), filepath.Join(dir, "residual_hirescam.npy"), 1e-4)

	photo := filepath.Join(dir, "photo.png")
	write(t, photo, pngBytes(t, 3))
	out = filepath.Join(t.TempDir(), "photo")
	if _, err := command(t, "explain", "--model", model, "--method", "layercam", photo, "--out", out); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(out, manifestFile))
	if err != nil {
		t.Fatal(err)
	}
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(m.Photos, "guessed: ") || len(m.Images) != 1 || len(m.Images[0].Pictures) != 1 || m.Classes[1] != "1" {
		t.Errorf("manifest %+v, want a guessed preparation, a picture, and classes by their numbers", m)
	}
}

// TestExplainAttention has the attention of a network of tokens explained, and that of the
// article's network, which has none, refused.
func TestExplainAttention(t *testing.T) {
	dir, out := onnxtest.Attention(t), filepath.Join(t.TempDir(), "out")
	model, x := filepath.Join(dir, "tokens_dynamo.onnx"), filepath.Join(dir, "attention_tokens_x.npy")
	if _, err := command(t, "explain", "--model", model, "--input", x, "--method", "attentionrollout,chefercam", "--out", out); err != nil {
		t.Fatal(err)
	}
	near(t, filepath.Join(out, "maps_attentionrollout.npy"), filepath.Join(dir, "attention_tokens_rollout.npy"), 1e-5)
	near(t, filepath.Join(out, "maps_chefercam.npy"), filepath.Join(dir, "attention_tokens_chefer.npy"), 1e-5)

	out = filepath.Join(t.TempDir(), "none")
	_, err := command(t, "explain", "--split", "sample", "--index", sampleIndex(3), "--method", "gradcam,attentionrollout", "--out", out)
	if err == nil || !strings.Contains(err.Error(), "has no attention; want one in whose blocks all tokens attend to all") {
		t.Errorf("error %v, want that the network has no attention", err)
	}
}

// TestMethodsOfAll is that all are those that a network may take.
func TestMethodsOfAll(t *testing.T) {
	attention := network.Attention{Build: func(*gomlx.Scope, *graph.Node) (*graph.Node, []*graph.Node) { return nil, nil }}
	for want, net := range map[int]*network.Network{23: {}, 25: {Attention: attention}} {
		methods, err := lookup([]string{"gradcam", "all"}, net)
		if err != nil || len(methods) != want || methods[0] != cam.Method(cam.GradCAM{}) || methods[1] != cam.Method(cam.CAM{}) {
			t.Errorf("%d methods (%v), want %d, those asked for by name first", len(methods), err, want)
		}
		if named, err := lookup([]string{"all", "chefercam"}, net); err != nil || len(named) < 24 {
			t.Errorf("%d methods (%v), want that asked for by name among them", len(named), err)
		}
	}
}

// TestAllThatFit is that all methods are those that take the network, at the layer that is
// explained, and that it is said which do not; asked for by name they are an error.
func TestAllThatFit(t *testing.T) {
	dir := onnxtest.Networks(t)
	for _, c := range []struct {
		net, layer, without string
		want                int
		kind                error
	}{
		{"flat", "", "cam", 21, cam.ErrHead}, {"flat", "0", "shapleycam", 20, cam.ErrDerivative}, {"residual", "", "fullgrad", 22, cam.ErrLayer},
	} {
		out := filepath.Join(t.TempDir(), "out")
		args := []string{"explain", "--model", filepath.Join(dir, c.net+"_dynamo.onnx"), "--input", filepath.Join(dir, c.net+"_x.npy"),
			"--layer", c.layer, "--pictures=false", "--backend", "go", "--channels", "2", "--samples", "2"}
		_, said, err := commandSaying(t, append(args, "--out", out, "--method", "all")...)
		if err != nil {
			t.Fatal(err)
		}
		maps, err := filepath.Glob(filepath.Join(out, "maps_*.npy"))
		if err != nil || len(maps) != c.want || strings.Count(said, "explain: without ") != 23-c.want || !strings.Contains(said, "explain: without "+c.without+": cam: ") {
			t.Errorf("%s: %d methods (%v), want %d; said %q", c.net, len(maps), err, c.want, said)
		}
		if _, err := command(t, append(args, "--out", out+"2", "--method", "all,"+c.without)...); !errors.Is(err, c.kind) {
			t.Errorf("%s: %s by name: error %v, want one of %v", c.net, c.without, err, c.kind)
		}
	}
}

// TestScoresThatAreNoNumbers are compared with nothing.
func TestScoresThatAreNoNumbers(t *testing.T) {
	dir := onnxtest.Networks(t)
	file := filepath.Join(dir, "residual_logits.npy")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	copy(data[len(data)-4:], "\x00\x00\xc0\x7f")
	write(t, file, data)
	_, err = command(t, "check", filepath.Join(dir, "residual_dynamo.onnx"), "--input", filepath.Join(dir, "residual_x.npy"), "--against", file, "--backend", "go")
	if err == nil || !strings.Contains(err.Error(), "is NaN, want finite scores") {
		t.Errorf("error %v, want that a score is NaN", err)
	}
}

// TestONNXCommands is what layers, card and check say.
func TestONNXCommands(t *testing.T) {
	dir := onnxtest.Networks(t)
	model := filepath.Join(dir, "residual_dynamo.onnx")
	said, err := command(t, "layers", model)
	if err != nil || !strings.Contains(said, "> is the default: ") || strings.Count(said, "\n") < 5 {
		t.Errorf("layers (%v):\n%s", err, said)
	}
	x, logits := filepath.Join(dir, "residual_x.npy"), filepath.Join(dir, "residual_logits.npy")
	said, err = command(t, "check", model, "--input", x, "--against", logits, "--json")
	var c checked
	if err == nil {
		err = json.Unmarshal([]byte(said), &c)
	}
	if err != nil || !c.Compared || !(c.Difference < 1e-5) || c.Images < 2 {
		t.Errorf("check (%v): %+v", err, c)
	}
	if _, err := command(t, "check", model, "--input", x, "--against", filepath.Join(dir, "residual_x.npy")); err == nil || !strings.Contains(err.Error(), "want [") {
		t.Errorf("check against an array of another shape: %v", err)
	}
	data, err := os.ReadFile(logits)
	if err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(dir, "wrong.npy")
	data[len(data)-1] ^= 0x80 // the last score's sign
	write(t, wrong, data)
	if _, err := command(t, "check", model, "--input", x, "--against", wrong); err == nil || !strings.Contains(err.Error(), "want at most 0.001") {
		t.Errorf("check against other scores: %v", err)
	}

	card := filepath.Join(dir, "residual_dynamo.camlab.json")
	if _, err := command(t, "card", model); err != nil || !isFile(card) {
		t.Errorf("card: %v", err)
	}
	if _, err := command(t, "card", model); err == nil || !strings.Contains(err.Error(), "--force writes it anew") {
		t.Errorf("card over a card: %v", err)
	}
	guessed, err := os.ReadFile(card)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := command(t, "card", model, "--preset", "unit", "--force"); err != nil {
		t.Errorf("card --force: %v", err)
	}
	if known, err := os.ReadFile(card); err != nil || reflect.DeepEqual(known, guessed) || strings.Contains(string(known), "guessed") {
		t.Errorf("card of a preset (%v): %s", err, known)
	}
}

// TestExplainUnderOneDNN starts camlab with oneDNN's flags, under which XLA ends the process
// for some networks: those that setup leaves beside the plugin are not used, and those of
// the environment are an error.
func TestExplainUnderOneDNN(t *testing.T) {
	backendtest.XLA(t)
	library, _, err := plugin.Find("cpu")
	if err != nil {
		t.Fatal(err)
	}
	const flags = "--xla_cpu_use_onednn=true --xla_cpu_experimental_onednn_custom_call=true"
	here, dir := t.TempDir(), onnxtest.Networks(t)
	if err := os.Symlink(library, filepath.Join(here, plugin.FileName("cpu"))); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(here, plugin.FlagsFile), []byte(flags+"\n\n"))
	explain := func(out string, env ...string) (string, error) {
		c := exec.Command(os.Args[0], "explain", "--model", filepath.Join(dir, "residual_legacy.onnx"), "--input", filepath.Join(dir, "residual_x.npy"),
			"--method", "gradcam", "--out", out, "--pictures=false")
		c.Env = append(slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "XLA_FLAGS=") }), plugin.PathEnv+"="+here)
		c.Env = append(c.Env, env...)
		said, err := c.CombinedOutput()
		return string(said), err
	}
	out := filepath.Join(t.TempDir(), "out")
	if said, err := explain(out); err != nil {
		t.Fatalf("with flags beside the plugin: %v: %s", err, said)
	}
	near(t, filepath.Join(out, "logits.npy"), filepath.Join(dir, "residual_logits.npy"), 1e-5)
	near(t, filepath.Join(out, "maps_gradcam.npy"), filepath.Join(dir, "residual_gradcam.npy"), 1e-4)
	said, err := explain(filepath.Join(t.TempDir(), "out"), "XLA_FLAGS="+flags)
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.ExitCode() != 1 || !strings.Contains(said, "XLA was loaded with "+flags) {
		t.Errorf("with flags of the environment: %v: %s", err, said)
	}
}

func TestModelErrors(t *testing.T) {
	dir := onnxtest.Networks(t)
	model := filepath.Join(dir, "residual_dynamo.onnx")
	text := filepath.Join(dir, "text.onnx")
	write(t, text, []byte("no model"))
	other := filepath.Join(dir, "vgg11.safetensors")
	header := `{"fc.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`
	write(t, other, []byte(string(rune(len(header)))+"\x00\x00\x00\x00\x00\x00\x00"+header+"abcd"))
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"explain", "--model", text, "x.png"}, "onnx: " + text + ": "},
		{[]string{"explain", "--model", filepath.Join(dir, "none.onnx"), "x.png"}, "no such file"},
		{[]string{"explain", "--model", "in/resnet18-f37072fd.pth", "x.png"}, `camlab reads networks from ONNX files, want one: python -c 'import torch, torchvision; from torch import load; m = torchvision.models.resnet18(); m.load_state_dict(load("resnet18-f37072fd.pth")); torch.onnx.export(`},
		{[]string{"explain", "--model", "own.pt", "x.png"}, `"own.onnx", dynamo=True)', with your network in place of`},
		{[]string{"explain", "--model", other, "x.png"}, `another architecture: tensor "fc.weight", want only those of article-gap-cnn: `},
		{[]string{"explain", "--model", other, "x.png"}, `from safetensors.torch import load_file as load; m = torchvision.models.vgg11();`},
		{[]string{"explain", "--model", model, "--layer", "conv99", "x.png"}, `layer "conv99", want a number from 0 to `},
		{[]string{"explain", "--model", model, "--output", "nothing", "x.png"}, `output "nothing", want one of `},
		{[]string{"explain", "--model", model, "--preset", "imagenette", "x.png"}, `preset "imagenette", want one of imagenet, clip, unit, raw`},
		{[]string{"explain", "--model", model, "--size", "huge", "x.png"}, `--size "huge", want HEIGHTxWIDTH`},
		{[]string{"explain", "--preset", "unit", "x.png"}, "are for ONNX models, and --model article is none"},
		{[]string{"explain", "--model", model, "--input", "x.npy", "x.png"}, "--input and other images, want one of them"},
		{[]string{"explain", "--model", model, "--input", text}, "explain: --input: "},
		{[]string{"explain", "--model", model, "--split", "sample", "--index", sampleIndex(1)}, "explain: --split: the model takes images of 24×32×3 and CIFAR-10's are 32×32×3"},
		{[]string{"evaluate", "--model", model, "--split", "sample"}, "evaluate: the model takes images of "},
		{[]string{"measure", "--model", model, "--split", "sample"}, "measure: the model takes images of "},
		{[]string{"layers", "article"}, "article: want an .onnx file"},
		{[]string{"check", model, "--against", "y.npy"}, "--against without --input"},
		{[]string{"card", text}, "onnx: " + text + ": "},
		{[]string{"fetch", "resnet18"}, `fetch: "resnet18", want one of`},
	} {
		out := filepath.Join(t.TempDir(), "out")
		if c.args[0] == "explain" {
			c.args = append(c.args, "--out", out)
		}
		if _, err := command(t, c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want %q", c.args, err, c.want)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%v: a folder was written", c.args)
		}
	}
}
