package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/camlab-go/camlab/internal/front"
)

// TestGonbStartsWithFoldersThatCanBeUsed has a script in place of GoNB, which writes
// down how it was started.
func TestGonbStartsWithFoldersThatCanBeUsed(t *testing.T) {
	venv := t.TempDir()
	program := filepath.Join(venv, "share", "camlab", front.Dir, "gonb")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "gonb"), []byte("#!/bin/sh\necho \"$*|$TMPDIR|$GOCACHE|$GOFLAGS\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	tmp, cache := t.TempDir(), t.TempDir()
	for _, row := range []struct{ rule, tmp, cache, want, says string }{
		{"good ones stay", tmp, cache, fmt.Sprintf("--kernel file|%s|%s|-mod=mod\n", tmp, cache), ""},
		{"others take their place", tmp + "/missing", "off", fmt.Sprintf("--kernel file|/tmp|%s/cache/go-build|-mod=mod\n", venv), "TMPDIR=" + tmp + "/missing cannot be used"},
	} {
		t.Run(row.rule, func(t *testing.T) {
			cmd := exec.Command(program, "--kernel", "file")
			cmd.Env = []string{"PATH=" + filepath.Dir(program) + ":" + bin, "TMPDIR=" + row.tmp, "GOCACHE=" + row.cache, "GOPATH=" + cache, "GOFLAGS=-mod=mod"}
			var stderr strings.Builder
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil || string(out) != row.want {
				t.Errorf("GoNB got %q, %v, want %q", out, err, row.want)
			}
			if says := stderr.String(); !strings.Contains(says, row.says) || row.says == "" && says != "" {
				t.Errorf("said %q, want %q", says, row.says)
			}
		})
	}
	cmd := exec.Command(program)
	cmd.Env = []string{"PATH=" + filepath.Dir(program)}
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "camlab: gonb: not in PATH; run `camlab setup`") {
		t.Errorf("without GoNB: %q, %v, want what to do", out, err)
	}
}
