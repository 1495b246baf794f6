package metric_test

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	"golang.org/x/sync/errgroup"

	"github.com/camlab-go/camlab/camlib/article"
	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/cifar10"
	"github.com/camlab-go/camlab/camlib/images"
	"github.com/camlab-go/camlab/camlib/metric"
	"github.com/camlab-go/camlab/internal/backendtest"
)

// TestOneCompilationPerShape counts how often the network is built.
func TestOneCompilationPerShape(t *testing.T) {
	net := odds()
	m := evaluator(t, net, metric.Options{Batch: 4, Steps: 4})
	for range 3 {
		s := must(m.Prepare(t.Context(), pictures(2, 2, slices.Repeat([][]float32{white}, 9)...), nil))
		for range 2 {
			c := judge(t, s, slices.Repeat([][]float32{{1, 2, 3, 4}}, 9)...)
			for _, name := range []string{"average-drop", "deletion", "insertion", "road", "infidelity"} {
				if _, err := valuesOf(t, c, name); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	// Images as they are in threes, also with a fill or a map; deletion and insertion;
	// ROAD's eight changes by fours; and infidelity's.
	if got := net.built.Load(); got != 4 {
		t.Errorf("built %d times, want 4: once for each batch shape", got)
	}
}

// TestFlatMemory: after the first rounds, 300 more of batches, cases and all metrics
// leave no more on the heap, and XLA's tensors no more in the process.
func TestFlatMemory(t *testing.T) {
	m := must(metric.New(backendtest.XLA(t), odds().Network, metric.Options{Infidelity: metric.InfidelityOptions{Perturbations: 4}}))
	x := pictures(2, 2, slices.Repeat([][]float32{white, {1, 0, 0, 1}}, 20)...)
	explain := metric.Random(1, 2, 3)
	rounds := func(n int) (heap uint64, resident int) {
		for range n {
			s := must(m.Prepare(t.Context(), x, nil))
			c := must(s.Case(must(explain(t.Context(), nil, x, s.Classes())), explain))
			for _, metric := range metric.Metrics() {
				must(metric.Compute(t.Context(), c))
			}
		}
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		pages := 0
		if data, err := os.ReadFile("/proc/self/statm"); err == nil {
			_, err = fmt.Sscan(string(data), new(int), &pages)
			if err != nil {
				t.Fatal(err)
			}
		}
		return stats.HeapAlloc, pages * os.Getpagesize()
	}
	heap, resident := rounds(100)
	laterHeap, laterResident := rounds(300)
	// A round moves about 0.1 MB of pixels and makes 40 tensors.
	if laterHeap > heap+1<<20 || !backendtest.Race && laterResident > resident+16<<20 {
		t.Errorf("heap from %d to %d, process from %d to %d bytes", heap, laterHeap, resident, laterResident)
	}
}

// TestConcurrentUse has many goroutines prepare batches and judge cases of one
// evaluator, metrics of one case, and edges; run it with -race, and with -tags race_mu.
func TestConcurrentUse(t *testing.T) {
	for name, backend := range map[string]func(testing.TB) compute.Backend{"xla": backendtest.XLA, "go": backendtest.Go} {
		t.Run(name, func(t *testing.T) {
			m := must(metric.New(backend(t), odds().Network, metric.Options{Batch: 5}))
			x := pictures(2, 2, white, []float32{1, 0, 1, 0.5}, []float32{0.5, 0.25, 0, 1})
			maps := [][]float32{{1, 2, 3, 4}, {-1, 2, 0, 0}, {0, 0, 0, 1}}
			explain := metric.Random(1, 2, 3)
			classes := []int{0, 1, 0}
			alone := must(must(m.Prepare(t.Context(), x, classes)).Case(
				&cam.Result{Method: "hand", N: 3, Class: classes, Height: 2, Width: 2, Maps: slices.Concat(maps...)}, explain))
			want := map[string][]float64{}
			for _, metric := range metric.Metrics() {
				want[metric.Name] = must(metric.Compute(t.Context(), alone))
			}
			shared := must(m.Prepare(t.Context(), x, classes))
			sharedCase := must(shared.Case(alone.Result, explain))
			edges := must(metric.Edge()(t.Context(), nil, x, classes)).Maps
			var group errgroup.Group
			for worker := range 16 {
				group.Go(func() error {
					c := sharedCase
					switch worker % 3 {
					case 1:
						c = must(shared.Case(alone.Result, explain))
					case 2:
						s, err := m.Prepare(t.Context(), x, classes)
						if err != nil {
							return err
						}
						c = must(s.Case(alone.Result, explain))
					}
					for _, metric := range metric.Metrics() {
						got, err := metric.Compute(t.Context(), c)
						if err != nil {
							return err
						}
						wantWithin(t, metric.Name, got, want[metric.Name], 1e-9)
					}
					if got := must(metric.Edge()(t.Context(), nil, x, classes)).Maps; !slices.Equal(got, edges) {
						t.Errorf("edges %v, want %v", got, edges)
					}
					return nil
				})
			}
			if err := group.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestGradCAMBeatsChance: on the shipped model, Grad-CAM's order of pixels is better
// than a random one by deletion, insertion and ROAD, and depends on the network.
func TestGradCAMBeatsChance(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the shipped model")
	}
	backend := backendtest.XLA(t)
	net := must(article.Pretrained())
	var some []int
	for i := 0; i < 1000; i += 25 {
		some = append(some, i)
	}
	x := must(images.FromDataset(must(images.Subset(cifar10.Sample(), some...)), 0, len(some)))
	s := must(must(metric.New(backend, net, metric.Options{Steps: 4})).Prepare(t.Context(), x, nil))
	gradcam, chance := metric.Explaining(backend, cam.GradCAM{}, cam.Options{}), metric.Random(16, 16, 1)
	a := must(s.Case(must(gradcam(t.Context(), net, x, s.Classes())), gradcam))
	b := must(s.Case(must(chance(t.Context(), net, x, s.Classes())), chance))
	for _, m := range metric.Metrics() {
		switch m.Name {
		case "insertion", "road-morf", "road-lerf", "road", "infidelity", "randomisation":
		default:
			continue
		}
		e := must(metric.Difference(must(m.Compute(t.Context(), a)), must(m.Compute(t.Context(), b)), metric.Resampling{}))
		if m.Better == metric.Higher && e.Low <= 0 || m.Better == metric.Lower && e.High >= 0 {
			t.Errorf("%s: Grad-CAM is not better than chance: difference %v, %s is better", m.Name, e, m.Better)
		}
	}
}
