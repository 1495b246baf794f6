package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestMakefileStartsGoClean has the makefile's way to a go command list a package
// under settings that stop it otherwise.
func TestMakefileStartsGoClean(t *testing.T) {
	if testing.Short() {
		t.Skip("builds goenv a dozen times")
	}
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("no make")
	}
	dir := t.TempDir()
	work := filepath.Join(dir, "go.work")
	if err := os.WriteFile(work, []byte("go 1.26\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	call := func() (string, error) {
		// Built anew: that has to work under the settings too.
		cmd := exec.Command("make", "-s", "-B", "-C", filepath.Join("..", ".."), "CLEAN="+filepath.Join(dir, "share", "camlab", "kernel-bin", "goenv"),
			"--eval=probe: $(CLEAN) ; @$(GO) list ./kernels/goenv", "probe")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, settings := range []string{
		"", "GOWORK=" + work, "GO111MODULE=off", "GOFLAGS=-mod=vendor", "GOFLAGS=nonsense", "GOOS=windows GOARCH=arm64", "GOROOT=/missing",
		"GOTOOLCHAIN=go1.99", "GOEXPERIMENT=nonsense", "GOCACHE=off GOPATH=relative", "HOME= XDG_CACHE_HOME= GOCACHE= GOPATH= GOMODCACHE=", "TMPDIR=/missing GOTMPDIR=/missing",
	} {
		t.Run(settings, func(t *testing.T) {
			for _, s := range strings.Fields(settings) {
				name, value, _ := strings.Cut(s, "=")
				t.Setenv(name, value)
				if value == "" {
					os.Unsetenv(name)
				}
			}
			if out, err := call(); err != nil || out != "github.com/camlab-go/camlab/kernels/goenv\n" {
				t.Errorf("make: %v: %s", err, out)
			}
		})
	}
}

// TestMakefileStartsNoOtherGo looks for a go command that goenv does not start, but
// for the one that builds it.
func TestMakefileStartsNoOtherGo(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	bare := regexp.MustCompile(`(^|[\s;&|@])(go (build|run|test|vet|install)|\$\(LINTER\) run)\b`)
	for line := range strings.Lines(string(text)) {
		command, ok := strings.CutPrefix(line, "\t")
		if ok && bare.MatchString(command) && !strings.Contains(command, "$(CLEAN)") && !strings.Contains(command, "-o $@ ./kernels/goenv") {
			t.Errorf("%q, want it started by $(GO) or $(CLEAN)", strings.TrimSpace(command))
		}
	}
}

func TestUsage(t *testing.T) {
	if err := run(nil); err == nil || err.Error() != "no program named, want one and its arguments" {
		t.Errorf("without arguments: %v", err)
	}
	if err := run([]string{"/missing/program"}); err == nil || !strings.Contains(err.Error(), "/missing/program") {
		t.Errorf("a program that is not there: %v", err)
	}
}
