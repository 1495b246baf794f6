package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// foreign has a kind's contestant do torchvision's networks.
func foreign(k kind) kind {
	k.foreign = true
	return k
}

// networks measures torchvision's networks: Grad-CAM, the forward pass, and what a process
// takes to the first map. Without torchvision there is nothing to measure, and no table.
func networks(ctx context.Context, b *bench) ([]table, error) {
	names := strings.Split(b.flags.networks, ",")
	cmd := exec.CommandContext(ctx, b.flags.python, append([]string{filepath.Join(b.folder, "networks.py"), "export", b.folder}, names...)...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		fmt.Fprintf(os.Stderr, "networks skipped: torchvision's cannot be exported: %v\n", err)
		return nil, nil
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
	first := newRace()
	for _, name := range names {
		if err := b.starts(ctx, first, name, []kind{foreign(ours), foreign(pyTorch)}, name); err != nil {
			return nil, err
		}
	}
	return []table{
		maps.table("Grad-CAM, 224×224 pixels", "images/s", rate),
		passes.table("Forward pass, 224×224 pixels", "images/s", rate),
		first.table("From the process's start to its end, Grad-CAM of one image", "s", seconds),
		first.table("Memory of that", "MB", peak),
	}, nil
}
