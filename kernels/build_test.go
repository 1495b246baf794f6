package kernels

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSetupBuildsWhereGitRefuses: a checkout that belongs to another user, as a folder
// mounted into a container often does.
func TestSetupBuildsWhereGitRefuses(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module example.com/m\n\ngo 1.26\n")
	write(t, filepath.Join(dir, "main.go"), "package main\n\nfunc main() {}\n")
	t.Setenv("GOFLAGS", "-buildvcs=auto")
	t.Setenv("GIT_CONFIG_GLOBAL", "/dev/null") // where safe.directory may allow any folder
	t.Setenv("GIT_CONFIG_SYSTEM", "/dev/null")
	git := func(args ...string) error {
		cmd := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com"}, args...)...)
		cmd.Dir = dir
		return cmd.Run()
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"commit", "-q", "-m", "all"}} {
		if err := git(args...); err != nil {
			t.Fatal(err)
		}
	}
	s := newSetup(Env{Root: dir}, SetupOptions{})
	built := func() string {
		program := filepath.Join(dir, "m")
		if err := s.build(t.Context(), program, "."); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("go", "version", "-m", program).Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	if info := built(); !strings.Contains(info, "vcs.revision") {
		t.Errorf("no revision in a program of a checkout:\n%s", info)
	}
	t.Setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1") // git's own, for its tests
	if err := git("status"); err == nil {
		t.Fatal("git takes the checkout")
	}
	if info := built(); strings.Contains(info, "vcs.revision") {
		t.Errorf("a revision that git did not tell:\n%s", info)
	}
}
