package cam_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"golang.org/x/sync/errgroup"

	"github.com/camlab-go/camlab/camlib/cam"
)

// TestOneCompilationPerShape counts how often the network is built, and holds batches
// to all images at once.
func TestOneCompilationPerShape(t *testing.T) {
	net := newToy()
	e := explainer(t, backendOf(t, pureGo), net.Network, cam.Options{Batch: 4})
	for range 5 {
		for _, target := range []cam.Target{cam.Predicted, cam.Class(1), cam.ClassNamed("doe")} {
			explain(t, e, method(t, "cam"), picture(9, 4, 6), target) // batches of 4, 4 and the last 4
		}
	}
	if got := net.built.Load(); got != 1 {
		t.Errorf("built %d times, want once: the last batch is as large as the others", got)
	}
	explain(t, e, method(t, "cam"), picture(3, 4, 6), cam.Predicted)
	if got := net.built.Load(); got != 2 {
		t.Errorf("built %d times, want once more for fewer images than a batch", got)
	}
	whole := explainer(t, backendOf(t, pureGo), newToy().Network, cam.Options{Batch: 9})
	for _, name := range []string{"cam", "gradcam", "scorecam"} {
		got, want := explain(t, e, method(t, name), picture(9, 4, 6), cam.All), explain(t, whole, method(t, name), picture(9, 4, 6), cam.All)
		near(t, name+": maps", got.Maps, want.Maps, 1e-6)
		near(t, name+": scores", got.Scores, want.Scores, 1e-6)
		near(t, name+": explained", got.Score, want.Score, 1e-6)
		if !slices.Equal(got.Class, want.Class) || !slices.Equal(got.Outcome, want.Outcome) || !slices.Equal(got.Predicted, want.Predicted) {
			t.Errorf("%s: classes %v, predicted %v, outcomes %v, want %v, %v, %v", name, got.Class, got.Predicted, got.Outcome, want.Class, want.Predicted, want.Outcome)
		}
	}
}

// TestConcurrentUse runs methods, targets and batch shapes at once on one
// explainer, and on a second one of the same network; run it with -race, and
// with -tags race_mu, which shows the detector the locking inside go-xla.
func TestConcurrentUse(t *testing.T) {
	onEach(t, func(t *testing.T, b compute.Backend) {
		net := newToy()
		alone := explainer(t, b, newToy().Network, cam.Options{})
		both := []*cam.Explainer{explainer(t, b, net.Network, cam.Options{}), explainer(t, b, net.Network, cam.Options{Batch: 2})}
		targets := []cam.Target{cam.Predicted, cam.Class(2), cam.All}
		methods := methods()
		if !isPureGo(b) { // compiling all takes minutes under the race detector
			methods = nil
			for _, name := range []string{"cam", "gradcam++", "scorecam", "smoothgrad"} {
				methods = append(methods, method(t, name))
			}
		}
		var group errgroup.Group
		start := make(chan struct{})
		for worker := range 24 {
			m := methods[worker%len(methods)]
			target := targets[worker%len(targets)]
			x := picture(1+worker%4, 4, 6)
			want := explain(t, alone, m, x, target)
			group.Go(func() error {
				<-start
				for range 5 {
					got, err := both[worker%2].Explain(context.Background(), m, x, target)
					if err != nil {
						return err
					}
					if d := distance(t, got.Maps, want.Maps); d > 1e-5 { // batches of other sizes round otherwise
						t.Errorf("worker %d: map off by %.2g", worker, d)
					}
				}
				return nil
			})
		}
		close(start)
		if err := group.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// TestMemoryStaysFlat is three thousand calls: after the first tenth neither Go's heap
// nor the process grows. A tensor of XLA that is not freed would show in the process
// alone.
func TestMemoryStaysFlat(t *testing.T) {
	onEach(t, func(t *testing.T, b compute.Backend) {
		e, x := explainer(t, b, newToy().Network, cam.Options{Batch: 8}), picture(16, 16, 16)
		calls := 3_000
		if isPureGo(b) {
			calls = 500 // it runs the same code, fifty times slower
		}
		targets := []cam.Target{cam.Predicted, cam.Class(1), cam.All, cam.Class(2).Probability()}
		methods := []cam.Method{method(t, "cam"), method(t, "gradcam")}
		run := func(n int) {
			for i := range n {
				m := methods[i/len(targets)%len(methods)]
				if _, err := e.Explain(t.Context(), m, x, targets[i%len(targets)]); err != nil {
					t.Fatal(err)
				}
			}
		}
		run(calls / 10)
		heap, process := memory(t)
		run(calls - calls/10)
		laterHeap, laterProcess := memory(t)
		// A call moves 140 kB, so one tensor of each that stayed would be hundreds of MB.
		const slack = 24 << 20
		if laterHeap > heap+slack {
			t.Errorf("Go's heap grew from %d to %d kB in %d calls, want at most %d kB more", heap>>10, laterHeap>>10, calls, slack>>10)
		}
		if process > 0 && laterProcess > process+4*slack {
			t.Errorf("the process grew from %d to %d kB in %d calls, want at most %d kB more", process>>10, laterProcess>>10, calls, 4*slack>>10)
		}
		t.Logf("%d calls: heap %d to %d kB, process %d to %d kB", calls, heap>>10, laterHeap>>10, process>>10, laterProcess>>10)
	})
}

// memory returns what Go's heap and the process hold, 0 where the system does not say.
func memory(t *testing.T) (heap, process uint64) {
	t.Helper()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	status, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return m.HeapAlloc, 0
	}
	fields := strings.Fields(string(status))
	pages, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return m.HeapAlloc, pages * uint64(os.Getpagesize())
}

func TestStopsBetweenBatches(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	net := newToy()
	net.features = func(a *Node) *Node { cancel(); return a } // while the first batch is compiled
	e := explainer(t, backendOf(t, pureGo), net.Network, cam.Options{Batch: 2})
	_, err := e.Explain(ctx, method(t, "cam"), picture(5, 2, 2), cam.Predicted)
	if want := "cam: cam: stopped after 2 of 5 images: context canceled"; !errors.Is(err, context.Canceled) || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}

// TestBatchOfTheNetwork is that a network that takes one image best is given one, unless
// more are asked for.
func TestBatchOfTheNetwork(t *testing.T) {
	for asked, want := range map[int]int{0: 1, 3: 3} {
		net, most := newToy(), 0
		net.Together = func() error { return errors.New("one after the other") }
		net.features = func(a *Node) *Node { most = max(most, a.Shape().Dim(0)); return a }
		e := explainer(t, backendOf(t, pureGo), net.Network, cam.Options{Batch: asked, General: true})
		explain(t, e, cam.HiResCAM{}, picture(5, 2, 2), cam.Predicted)
		if most != want {
			t.Errorf("a batch of %d asked for: graphs of up to %d images, want %d", asked, most, want)
		}
	}
}
