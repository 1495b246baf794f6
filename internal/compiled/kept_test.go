package compiled_test

import (
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/compiled"
	"github.com/camlab-go/camlab/internal/plugin"
)

// add is the variable with what a process of this test adds.
const add = "CAMLAB_TEST_ADD"

// convolution has such a process convolve images instead.
const convolution = "a convolution"

// sumIn is 40 and the length of y in a process of its own, which has XLA_FLAGS and keeps what it
// compiles in a folder.
func sumIn(t *testing.T, dir, y, flags string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKept$", "-test.v")
	cmd.Env = append(os.Environ(), add+"="+y, compiled.Env+"="+dir, "XLA_FLAGS="+flags)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	_, after, _ := strings.Cut(string(out), "sum: ")
	sum, _, _ := strings.Cut(after, "\n")
	return sum
}

// TestKept: what one process has compiled another one runs, unless it is damaged.
func TestKept(t *testing.T) {
	b := backendtest.XLA(t)
	if y := os.Getenv(add); y != "" {
		if y == convolution {
			x := tensors.FromFlatDataAndDimensions(slices.Repeat([]float32{1}, 32*32*16), 1, 32, 32, 16)
			kernel := tensors.FromFlatDataAndDimensions(slices.Repeat([]float32{1}, 3*3*16*16), 3, 3, 16, 16)
			out := MustExecOnce(b, func(x, kernel *Node) *Node { return ReduceAllMax(Convolve(x, kernel).PadSame().Done()) }, x, kernel)
			t.Logf("sum: %v", out.Value())
			return
		}
		out := MustExecOnce(b, func(x *Node) *Node { return AddScalar(x, float64(len(y))) }, tensors.FromValue(float32(40)))
		t.Logf("sum: %v", out.Value())
		return
	}
	path, _, err := plugin.Find("cpu")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(path), plugin.FlagsFile)); err != nil || runtime.GOOS != "linux" {
		t.Skip("kept on Linux, of the plugin that setup installs")
	}
	dir := t.TempDir()
	const oneDNN = "--xla_cpu_use_onednn=true --xla_cpu_experimental_onednn_custom_call=true"
	if got := sumIn(t, dir, convolution, oneDNN); got != "144" {
		t.Fatalf("3 times 3 times 16 is %q", got)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("of what has a custom call of oneDNN's %v are kept (%v), want nothing", files, err)
	}
	file := func() string {
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil || len(files) != 1 {
			t.Fatalf("files %v (%v), want one", files, err)
		}
		return files[0]
	}
	if got := sumIn(t, dir, "a", oneDNN); got != "41" {
		t.Fatalf("40 + 1 is %q", got)
	}
	if err := os.Remove(file()); err != nil { // what has none is kept
		t.Fatal(err)
	}
	// Another graph's executable takes the place of one's own: it is run, so it was loaded.
	if got := sumIn(t, dir, "a", ""); got != "41" {
		t.Fatalf("40 + 1 is %q", got)
	}
	one := file()
	first, err := os.ReadFile(one)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(one); err != nil {
		t.Fatal(err)
	}
	if got := sumIn(t, dir, "bb", ""); got != "42" {
		t.Fatalf("40 + 2 is %q", got)
	}
	two := file()
	if one == two {
		t.Fatal("two graphs have one file")
	}
	if err := os.WriteFile(two, first, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := sumIn(t, dir, "bb", ""); got != "41" {
		t.Errorf("40 + 2 is %q, want the 41 of the executable that lies there: it was not loaded", got)
	}
	garbage := []byte(strings.Repeat("garbage ", 100))
	sum := sha256.Sum256(garbage)
	for what, data := range map[string][]byte{"cut": first[:len(first)-1], "empty": nil, "no executable, with its checksum": append(sum[:], garbage...)} {
		if err := os.WriteFile(two, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := sumIn(t, dir, "bb", ""); got != "42" {
			t.Errorf("%s: 40 + 2 is %q", what, got)
		}
		if info, err := os.Stat(two); err != nil || info.Size() < int64(len(garbage)) {
			t.Errorf("%s: it was not written anew (%v)", what, err)
		}
	}
}
