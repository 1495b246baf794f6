package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	kept "github.com/camlab-go/camlab/internal/compiled"
)

// foreign has a kind's contestant do torchvision's networks.
func foreign(k kind) kind {
	k.foreign = true
	return k
}

// exported writes torchvision's networks for the contestants, once, and returns their names:
// none where that cannot be done.
func (b *bench) exported(ctx context.Context) ([]string, error) {
	if b.exports != nil {
		return b.exports, nil
	}
	names := strings.Split(b.flags.networks, ",")
	cmd := exec.CommandContext(ctx, b.flags.python, append([]string{filepath.Join(b.folder, "networks.py"), "export", b.folder}, names...)...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		fmt.Fprintf(os.Stderr, "torchvision's networks skipped: they cannot be exported: %v\n", err)
		return nil, nil
	}
	b.exports = names
	return names, nil
}

// networks measures Grad-CAM and the forward pass of torchvision's networks.
func networks(ctx context.Context, b *bench) ([]table, error) {
	names, err := b.exported(ctx)
	if err != nil || names == nil {
		return nil, err
	}
	items := func(task string) (all []item) {
		for _, name := range names {
			for _, batch := range []int{1, 8} {
				r := askFor(task, 8, batch)
				r.Side, r.Network = 224, name
				all = append(all, item{fmt.Sprintf("%s, batch %d", name, batch), r, nil, nil})
			}
		}
		return all
	}
	maps, err := b.race(ctx, []kind{foreign(ours), foreign(pyTorch), foreign(compiled), foreign(gradCAM)}, 0, b.flags.rounds, items("gradcam"))
	if err != nil {
		return nil, err
	}
	passes, err := b.race(ctx, []kind{foreign(ours), foreign(pyTorch), foreign(compiled), foreign(onnxRun)}, 0, b.flags.rounds, items("forward"))
	if err != nil {
		return nil, err
	}
	return []table{
		maps.table("Grad-CAM, 224×224 pixels", "images/s", rate),
		passes.table("Forward pass, 224×224 pixels", "images/s", rate),
	}, nil
}

// firstMaps measures what a process takes to the first map of a network of torchvision's: of
// one that camlab never compiled, and of one that an earlier process did.
func firstMaps(ctx context.Context, b *bench) ([]table, error) {
	names, err := b.exported(ctx)
	if err != nil || names == nil {
		return nil, err
	}
	first := newRace()
	for _, name := range names {
		for _, row := range []struct{ text, kept string }{
			{"compiled by the first of the processes", filepath.Join(b.folder, "compiled")},
			{"compiled by each", "off"},
		} {
			k := foreign(ours)
			k.env = append(slices.Clone(k.env), kept.Env+"="+row.kept)
			if err := b.starts(ctx, first, name+", "+row.text, []kind{k, foreign(pyTorch)}, name); err != nil {
				return nil, err
			}
		}
	}
	return []table{
		first.table("From the process's start to its end, Grad-CAM of one image, 224×224 pixels", "s", seconds),
		first.table("Memory of that", "MB", peak),
	}, nil
}
