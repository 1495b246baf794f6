package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/camlab-go/camlab/internal/plugin"
)

// bench is a measurement that runs.
type bench struct {
	flags   flags
	folder  string
	missing map[string]bool // contestants that cannot be started
	exports []string        // torchvision's networks in the folder, once they are there
}

// part is one of the table's sections.
type part struct {
	name string
	run  func(ctx context.Context, b *bench) ([]table, error)
}

var parts = []part{
	{"training", training}, {"best", bestTraining}, {"epoch", epoch}, {"maps", heatMaps}, {"start", start}, {"growth", growth}, {"avx2", avx2}, {"networks", networks}, {"first", firstMaps},
}

// item is a row: work, and the batch sizes of which each contestant takes its best.
type item struct {
	name    string
	request request
	batches []int
	inner   []int // the same for the changed images of one run
}

func partNames() string {
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	return strings.Join(names, ",")
}

func askFor(task string, n, batch int) request {
	return request{Task: task, Images: n, Batch: batch, Side: 32, DType: "float32", Network: "article"}
}

func training(ctx context.Context, b *bench) ([]table, error) {
	step := askFor("train", 8*128, 128)
	augmented, half := step, step
	augmented.Augment, half.DType, half.Images = true, "bfloat16", 128
	all, err := b.race(ctx, []kind{ours, pyTorch, pyTorchM, compiled, tensorFlow, jax}, 0, b.flags.rounds, []item{
		{"float32", step, nil, nil}, {"float32, flipped and cropped at random", augmented, nil, nil}, {"float32 beside PyTorch's bfloat16 (autocast)", half, nil, nil},
	})
	if err != nil {
		return nil, err
	}
	return []table{
		all.table("Training step, batch 128, Adam", "images/s", rate),
		all.table("Start of a training: loading the images, building, compiling, the first eight steps", "s", prepared),
	}, nil
}

// avx2 has all contestants do without AVX-512, as on a processor that has none.
func avx2(ctx context.Context, b *bench) ([]table, error) {
	path, _, err := plugin.Find("cpu")
	if err != nil {
		return nil, err
	}
	flags, _, err := plugin.Flags(path)
	if err != nil {
		return nil, err
	}
	limits := []string{"ONEDNN_MAX_CPU_ISA=AVX2", "DNNL_MAX_CPU_ISA=AVX2", "MKL_ENABLE_INSTRUCTIONS=AVX2", "ATEN_CPU_CAPABILITY=avx2"}
	var kinds []kind
	for _, k := range []kind{ours, pyTorch, pyTorchM, compiled, tensorFlow, jax} {
		xla := "XLA_FLAGS=--xla_cpu_max_isa=AVX2"
		if k.peer == "" {
			xla += " " + flags
		}
		k.env = slices.Concat(k.env, limits, []string{xla})
		kinds = append(kinds, k)
	}
	step := askFor("train", 4*128, 128)
	augmented := step
	augmented.Augment = true
	all, err := b.race(ctx, kinds, 0, b.flags.rounds, []item{
		{"training step, batch 128", step, nil, nil}, {"the same, flipped and cropped at random", augmented, nil, nil},
		{"forward, batch 8", askFor("forward", 512, 8), nil, nil}, {"forward, batch 128", askFor("forward", 512, 128), nil, nil}, {"Grad-CAM, batch 50", askFor("gradcam", 500, 50), nil, nil},
	})
	if err != nil {
		return nil, err
	}
	return []table{all.table("Without AVX-512", "images/s", rate)}, nil
}

// bestTraining is the step of package best, with its moving average of the weights.
func bestTraining(ctx context.Context, b *bench) ([]table, error) {
	step := askFor("train", 1000, 500)
	step.Network, step.Augment = "best", true
	half := step
	half.DType = "bfloat16"
	all, err := b.race(ctx, []kind{ours, pyTorch, pyTorchM, compiled}, 0, b.flags.rounds, []item{
		{"float32", step, nil, nil}, {"float32 beside PyTorch's bfloat16 (autocast)", half, nil, nil},
	})
	if err != nil {
		return nil, err
	}
	return []table{all.table("Training step of the network best, batch 500, flipped and cropped at random, Nesterov", "images/s", rate)}, nil
}

func epoch(ctx context.Context, b *bench) ([]table, error) {
	r := askFor("epoch", 50_000, 125)
	r.Augment = true
	all, err := b.race(ctx, []kind{ours, pyTorch, tensorFlow, jax}, 0, 1, []item{{"50,000 images, batch 125, flipped and cropped at random", r, nil, nil}})
	if err != nil {
		return nil, err
	}
	return []table{
		all.table("An epoch, from reading the files on", "s", seconds),
		all.table("Most memory that the process had", "MB", peak),
	}, nil
}

func heatMaps(ctx context.Context, b *bench) ([]table, error) {
	n, sizes, inner := b.flags.images, []int{25, 50, 125, 250}, []int{32, 128}
	part := max(n/20, 1) // of methods that pass each image through the network 128 times
	all, err := b.race(ctx, []kind{ours, pyTorch, pyTorchM, compiled, tensorFlow, jax, torchCAM, gradCAM}, 0, b.flags.rounds, []item{
		{"forward pass", askFor("forward", n, 0), sizes, nil},
		{"CAM of one class", askFor("cam", n, 0), sizes, nil},
		{"CAM of all ten classes (torch-cam: CAM of one, pytorch-grad-cam: Grad-CAM of one)", askFor("camall", n, 0), sizes, nil},
		{"Grad-CAM", askFor("gradcam", n, 0), sizes, nil},
		{fmt.Sprintf("Score-CAM, all 128 channels, of %d", part), askFor("scorecam", part, 10), nil, inner},
		{fmt.Sprintf("Ablation-CAM of %d", part), askFor("ablationcam", part, 10), nil, inner},
	})
	if err != nil {
		return nil, err
	}
	return []table{all.table(fmt.Sprintf("Maps of %d test images", n), "images/s", rate)}, nil
}

func start(ctx context.Context, b *bench) ([]table, error) {
	all := newRace()
	if err := b.starts(ctx, all, "from the process's start to its end, one map of one image", []kind{ours, pyTorch, tensorFlow, jax, torchCAM}); err != nil {
		return nil, err
	}
	return []table{all.table("Start (torch-cam and camlab: CAM; the others: scores)", "s", seconds), all.table("Memory of that", "MB", peak)}, nil
}

// starts adds a row of whole processes that make the first map, of a network of torchvision's
// if args name one.
func (b *bench) starts(ctx context.Context, all *race, row string, kinds []kind, args ...string) error {
	all.rows = append(all.rows, row)
	for range b.flags.rounds {
		for _, k := range b.withEarlier(kinds) {
			if b.missing[k.name] {
				continue
			}
			cmd, err := b.command(ctx, k, 0, append([]string{"first"}, args...)...)
			if err != nil {
				return err
			}
			begin := time.Now()
			if err := cmd.Run(); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				b.skip(k, err)
				continue
			}
			s := sample{answer: answer{Seconds: time.Since(begin).Seconds()}}
			if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
				s.Peak = usage.Maxrss * 1024
			}
			fmt.Fprintf(os.Stderr, "%s, %s: %.2f s\n", row, k.name, s.Seconds)
			all.add(len(all.rows)-1, k, s)
		}
	}
	return nil
}

func growth(ctx context.Context, b *bench) ([]table, error) {
	var items []item
	for _, batch := range []int{1, 8, 64, 256, 1024} {
		items = append(items, item{fmt.Sprintf("forward, batch %d", batch), askFor("forward", max(64, batch), batch), nil, nil})
	}
	for _, side := range []int{64, 128, 224} {
		r := askFor("forward", 8*(224/side)*(224/side), 8)
		r.Side = side
		items = append(items, item{fmt.Sprintf("forward, %d×%d pixels, batch 8", side, side), r, nil, nil})
	}
	for _, batch := range []int{8, 32, 512} {
		items = append(items, item{fmt.Sprintf("training step, batch %d", batch), askFor("train", max(256, batch), batch), nil, nil})
	}
	all, err := b.race(ctx, []kind{ours, pyTorch, tensorFlow, jax}, 0, 3, items)
	if err != nil {
		return nil, err
	}
	sizes := all.table("Other sizes (camlab runs large batches in parts of 32, as its library does)", "images/s", rate)
	all, err = b.race(ctx, []kind{ours, pyTorch, tensorFlow, jax}, 1, 3, []item{
		{"forward, batch 128", askFor("forward", 512, 128), nil, nil}, {"training step, batch 128", askFor("train", 256, 128), nil, nil},
	})
	if err != nil {
		return nil, err
	}
	return []table{sizes, all.table("On one processor", "images/s", rate)}, nil
}

// race is what contestants took for rows of work.
type race struct {
	rows     []string
	kinds    []kind
	versions map[string]string
	values   map[key][]sample
}

func newRace() *race {
	return &race{versions: make(map[string]string), values: make(map[key][]sample)}
}

type key struct {
	row  int
	name string
}

// sample is one turn.
type sample struct {
	answer
	request request
}

// withEarlier adds the build of -before, if there is one, behind the first kind, ours.
func (b *bench) withEarlier(kinds []kind) []kind {
	if b.flags.before == "" {
		return kinds
	}
	before := earlier
	before.foreign = kinds[0].foreign
	return slices.Insert(slices.Clone(kinds), 1, before)
}

// race has the contestants take turns at each item. A peer that fails does not end it: it is
// taken out, with what it did of the item.
func (b *bench) race(ctx context.Context, kinds []kind, threads, rounds int, items []item) (*race, error) {
	r := newRace()
	var all []*contestant
	defer func() {
		for _, c := range all {
			c.stop()
		}
	}()
	for _, k := range b.withEarlier(kinds) {
		if b.missing[k.name] {
			continue
		}
		c, err := b.start(ctx, k, threads)
		if err != nil {
			if k.peer == "" || ctx.Err() != nil {
				return nil, err
			}
			b.skip(k, err)
			continue
		}
		all = append(all, c)
		r.kinds, r.versions[k.name] = append(r.kinds, k), c.version
	}
	for i, it := range items {
		r.rows = append(r.rows, it.name)
		requests, first := make(map[*contestant]request), make(map[*contestant]answer)
		failed := func(c *contestant, err error) error {
			if c.peer == "" || ctx.Err() != nil {
				return err
			}
			b.skip(c.kind, err)
			delete(r.values, key{i, c.name})
			all = slices.DeleteFunc(slices.Clone(all), func(other *contestant) bool { return other == c })
			c.stop()
			return nil
		}
		for _, c := range all {
			best, a, err := c.best(it)
			if err != nil {
				if err := failed(c, err); err != nil {
					return nil, err
				}
				continue
			}
			if a.Skip != "" {
				fmt.Fprintf(os.Stderr, "%s, %s: %s\n", it.name, c.name, a.Skip)
				continue
			}
			requests[c], first[c] = best, a
		}
		for range rounds {
			for _, c := range all {
				a, ok := first[c]
				if !ok {
					continue
				}
				if rounds > 1 {
					var err error
					if a, err = c.do(requests[c]); err == nil && a.Skip != "" {
						err = errors.New(a.Skip)
					}
					if err != nil {
						if err := failed(c, fmt.Errorf("%s: %w", it.name, err)); err != nil {
							return nil, err
						}
						continue
					}
				}
				a.Prepared = max(a.Prepared, first[c].Prepared)
				r.add(i, c.kind, sample{a, requests[c]})
				fmt.Fprintf(os.Stderr, "%s, %s: %.2f s\n", it.name, c.name, a.Seconds)
			}
		}
	}
	return r, nil
}

func (b *bench) skip(k kind, err error) {
	fmt.Fprintf(os.Stderr, "%s skipped: %v\n", k.name, err)
	if b.missing == nil {
		b.missing = make(map[string]bool)
	}
	b.missing[k.name] = true
}

func (r *race) add(row int, k kind, s sample) {
	at := key{row, k.name}
	if r.values[at] == nil && !slices.ContainsFunc(r.kinds, func(other kind) bool { return other.name == k.name }) {
		r.kinds = append(r.kinds, k)
	}
	r.values[at] = append(r.values[at], s)
}

// best returns the request with the contestant's best batch size and its answer.
func (c *contestant) best(it item) (best request, first answer, err error) {
	first.Skip = "nothing to do"
	sizes := it.batches
	if it.inner != nil {
		sizes = it.inner
	}
	if sizes == nil {
		sizes = []int{it.request.Batch}
	}
	for _, size := range sizes {
		r := it.request
		if it.inner != nil {
			r.Inner = size
		} else {
			r.Batch = size
		}
		a, err := c.do(r)
		if err != nil {
			return best, first, err
		}
		if a.Skip != "" {
			return best, a, nil
		}
		if first.Skip != "" || a.Seconds < first.Seconds {
			best, first = r, a
		}
	}
	return best, first, nil
}
