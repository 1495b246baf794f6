package exec_test

import (
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"github.com/camlab-go/camlab/internal/backendtest"
	"github.com/camlab-go/camlab/internal/exec"
)

// TestDevicesShareRows: whatever the devices, a graph meets all rows, once each, in their
// order, and the variables change alike, also where they were on other devices before.
func TestDevicesShareRows(t *testing.T) {
	b := backendtest.XLA(t)
	store := model.NewStore()
	v := store.VariableWithValue("sum", []float32{0, 0})
	want := []float32{0, 0}
	for _, n := range []int{1, 2, 4, 1, 3, 2, 0} {
		devices, err := exec.Among(b, n)
		if err != nil {
			t.Fatal(err)
		}
		g, err := exec.NewOn(devices, exec.AllShared, b, store, func(_ *model.Scope, in []*Node) exec.Outputs {
			v.SetNodeValue(Add(v.NodeValue(in[0].Graph()), ReduceSum(in[0], 0)))
			return exec.Outputs{"rows": MulScalar(in[0], 2), "mean": ReduceAllMean(in[1]), "sum": ReduceSum(in[0], 0)}
		})
		if err != nil {
			t.Fatal(err)
		}
		for rows := 1; rows < 7; rows++ {
			var x, twice []float32
			for i := range 2 * rows {
				x, twice = append(x, float32(i)), append(twice, float32(2*i))
				want[i%2] += float32(i)
			}
			out, err := g.Call(tensors.FromFlatDataAndDimensions(x, rows, 2), tensors.FromFlatDataAndDimensions(x[:rows], rows))
			if err != nil {
				t.Fatal(err)
			}
			var got, mean []float32
			if err := out.Read(map[string]any{"rows": &got, "mean": &mean}); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, twice) || mean[0] != float32(rows-1)/2 {
				t.Errorf("%d rows on %d devices: %v with mean %v, want %v", rows, n, got, mean, twice)
			}
			if rows%2 == 0 { // reading does not disturb
				if got := tensors.MustCopyFlatData[float32](v.MustValue()); !slices.Equal(got, want) {
					t.Errorf("%d rows on %d devices: the variable is %v, want %v", rows, n, got, want)
				}
			}
		}
		g.Finalize()
	}
}

// TestChunksOfDevices: a chunk is of at most so many images a device, and can be divided by the
// devices where all images can.
func TestChunksOfDevices(t *testing.T) {
	for _, row := range []struct{ devices, n, most, want int }{
		{1, 125, 32, 25}, {2, 128, 32, 64}, {4, 128, 32, 128}, {4, 132, 32, 44}, {4, 10000, 32, 100}, {2, 125, 32, 63},
	} {
		d, err := exec.Among(backendtest.XLA(t), row.devices)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.ChunkSize(row.n, row.most); got != row.want {
			t.Errorf("%d devices: chunks of %d for %d images, want %d", row.devices, got, row.n, row.want)
		}
	}
}

func TestTooManyDevices(t *testing.T) {
	for name, row := range map[string]struct {
		n    int
		want string
	}{
		"go":  {2, "2 devices, but GoMLX in pure Go has 1: want xla:cpu"},
		"xla": {99, "99 devices, but XLA on CPU, PJRT plugin v"},
	} {
		t.Run(name, func(t *testing.T) {
			b := backendtest.Go(t)
			if name == "xla" {
				b = backendtest.XLA(t)
			}
			if _, err := exec.Among(b, row.n); err == nil || !strings.HasPrefix(err.Error(), row.want) {
				t.Errorf("error %v, want one that begins %q", err, row.want)
			}
			if _, err := exec.Among(b, -1); err == nil || !strings.HasPrefix(err.Error(), "-1 devices, want") {
				t.Errorf("-1: error %v", err)
			}
		})
	}
}

// TestWorkIsDivided: XLA compiles the half of a product for each of two devices, as it writes
// itself where it is told to in the environment, when its plugin is loaded.
func TestWorkIsDivided(t *testing.T) {
	const dump = "CAMLAB_TEST_DUMP"
	if os.Getenv(dump) == "" {
		backendtest.XLA(t) // or skip
		dir := t.TempDir()
		cmd := osexec.Command(os.Args[0], "-test.run=^TestWorkIsDivided$")
		cmd.Env = append(os.Environ(), dump+"=1", "XLA_FLAGS=--xla_dump_to="+dir+" --xla_dump_hlo_as_text")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		files, err := filepath.Glob(filepath.Join(dir, "*after_optimizations.txt"))
		if err != nil || len(files) != 1 {
			t.Fatalf("XLA wrote %v (%v), want one program", files, err)
		}
		text, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		if s := string(text); !strings.Contains(s, "num_partitions=2") || !strings.Contains(s, "f32[8,128]{1,0} dot(") || strings.Contains(s, "f32[15,128]{1,0} dot(") {
			t.Errorf("two devices share a product with 15 rows by\n%s", s)
		}
		return
	}
	b := backendtest.XLA(t)
	devices, err := exec.Among(b, 2)
	if err != nil {
		t.Fatal(err)
	}
	g, err := exec.NewOn(devices, func(input int) bool { return input == 0 }, b, model.NewStore(), func(_ *model.Scope, in []*Node) exec.Outputs {
		return exec.Outputs{"product": MatMul(in[0], in[1])}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Call(tensors.FromFlatDataAndDimensions(make([]float32, 15*256), 15, 256), tensors.FromFlatDataAndDimensions(make([]float32, 256*128), 256, 128)); err != nil {
		t.Fatal(err)
	}
}
