package goenv

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// build has the go command compile something of the checkout and something with C.
func build(env []string) error {
	cmd := exec.Command("go", "build", "runtime/cgo", "./kernels/goenv")
	cmd.Dir, cmd.Env = filepath.Join("..", ".."), env
	out, err := cmd.CombinedOutput()
	if err != nil {
		return &exec.Error{Name: string(out), Err: err}
	}
	return nil
}

// TestEnvironHoldsAgainst has every setting stop a build, and Environ let it through.
func TestEnvironHoldsAgainst(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := write("file", "")
	all := []string{
		"GOWORK=" + write("go.work", "go 1.26\n"), "GOWORK=/missing/go.work", "GO111MODULE=off",
		"GOFLAGS=-mod=vendor", "GOFLAGS=nonsense", "GOFLAGS=-nonsense", "GOFLAGS=-modfile=/missing.mod", "GOFLAGS=-toolexec=false",
		"GOOS=plan9", "GOOS=nonsense", "GOARCH=nonsense", "CC=false", "CC=/missing/cc", "CGO_CFLAGS=-nonsense",
		"GOEXPERIMENT=nonsense", "GOTOOLCHAIN=nonsense", "GOROOT=/missing", "GOCACHEPROG=false", "GOFIPS140=nonsense",
		"GOPATH=relative", "GOCACHE=off", "GOCACHE=" + file, "GOTMPDIR=/missing", "TMPDIR=/missing",
		"GOENV=" + write("env", "GOFLAGS=-mod=vendor\nGOOS=plan9\n"),
	}
	spare := t.TempDir()
	for _, setting := range all {
		t.Run(setting, func(t *testing.T) {
			name, value, _ := strings.Cut(setting, "=")
			clean := Environ(spare) // of this test
			t.Setenv(name, value)
			raw := append(slices.Clone(clean), setting)
			if name == "GOENV" {
				raw = slices.DeleteFunc(raw, func(v string) bool { return v == "GOFLAGS=" || v == "GOOS=" })
			}
			if err := build(raw); err == nil {
				t.Error("it stops no build; want a case that does")
			}
			if err := build(Environ(spare)); err != nil {
				t.Errorf("build: %v", err)
			}
		})
	}
}

// TestNames compares names with those that the installed Go has.
func TestNames(t *testing.T) {
	out, err := exec.Command("go", "env", "-json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var has map[string]string
	if err := json.Unmarshal(out, &has); err != nil {
		t.Fatal(err)
	}
	told := []string{"GODEBUG", "GOMOD", "GOTELEMETRY", "GOTELEMETRYDIR", "GOVERSION"} // which decide nothing
	for name := range has {
		if !slices.Contains(names, name) && !slices.Contains(told, name) {
			t.Errorf("the go command heeds %s, which is not in names", name)
		}
	}
}

func TestSettings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(file, []byte("GOPROXY=https://file.example\nGOSUMDB=off\nGOOS=windows\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	const key = "sum.example+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
	for _, row := range []struct{ rule, set, want string }{
		{"where modules come from is the user's", "GOPROXY=https://p.example,direct GOINSECURE=i.example GOVCS=*:git GOAUTH=off", "GOPROXY=https://p.example,direct GOINSECURE=i.example GOVCS=*:git GOAUTH=off"},
		{"where they are kept is the user's", "GOPATH=/p GOMODCACHE=/m GOCACHE=/c", "GOPATH=/p GOMODCACHE=/m GOCACHE=/c"},
		{"also in the file of go env -w", "GOENV=" + file, "GOPROXY=https://file.example GOSUMDB=off GOOS= GOENV=off"},
		{"the environment goes before the file", "GOENV=" + file + " GOPROXY=direct", "GOPROXY=direct"},
		{"a file that is not there says nothing", "GOENV=/missing", "GOENV=off GOPROXY="},
		{"an empty list of proxies is none", "GOPROXY=,|", "GOPROXY="},
		{"what is no proxy", "GOPROXY=https://p.example,nonsense", "GOPROXY="},
		{"proxies of several forms", "GOPROXY=p.example|file:///m,off", "GOPROXY=p.example|file:///m,off"},
		{"a checksum database", "GOSUMDB=" + key, "GOSUMDB=" + key},
		{"what is no checksum database", "GOSUMDB=nonsense", "GOSUMDB="},
		{"no toolchain is to be fetched", "GOTOOLCHAIN=local", "GOTOOLCHAIN=local"},
		{"a toolchain by its version", "GOTOOLCHAIN=go1.99", "GOTOOLCHAIN="},
		{"flags that change nothing built", "GOFLAGS=-mod=vendor --trimpath -tags=x -buildvcs=false -race", "GOFLAGS=--trimpath -buildvcs=false"},
		{"how to build is not taken over", "GOOS=windows GOARCH=arm64 CC=clang GOWORK=/w GO111MODULE=off", "GOOS= GOARCH= CC= GOWORK=off GO111MODULE="},
		{"private modules keep their checksums private", "GOPRIVATE=a.example", "GOPRIVATE=a.example GONOSUMDB=a.example GONOPROXY=" + proxied},
		{"but not their way", "GOPRIVATE=a.example GONOPROXY=b.example", "GOPRIVATE=b.example GONOSUMDB=a.example GONOPROXY=" + proxied},
		{"all by the proxy", "GOPRIVATE=a.example GONOPROXY=none", "GOPRIVATE=none GONOSUMDB=a.example GONOPROXY=" + proxied},
	} {
		t.Run(row.rule, func(t *testing.T) {
			sep := " "
			if strings.HasPrefix(row.set, "GOFLAGS") {
				sep = "\n"
			}
			once := Settings(strings.Split(row.set, sep))
			for want := range strings.SplitSeq(row.want, sep) {
				if !slices.Contains(once, want) {
					t.Errorf("no %s in %v", want, once)
				}
			}
			if twice := Settings(once); !slices.Equal(once, twice) {
				t.Errorf("Settings of its own: %v, want %v", twice, once)
			}
		})
	}
	got := LeftOut([]string{"GOENV=" + file, "GOFLAGS=-race", "GOPRIVATE=x", "GOMODCACHE=/m", "GOWORK=off"})
	if want := []string{"GOFLAGS=-race", "GOOS=windows"}; !slices.Equal(got, want) {
		t.Errorf("LeftOut = %v, want %v", got, want)
	}
}

func TestFolders(t *testing.T) {
	dir, spare := t.TempDir(), t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	good, bad := "TMPDIR="+dir+" HOME="+dir, filepath.Join(file, "x")
	for _, row := range []struct{ rule, set, want string }{
		{"good ones stay", good + " GOPATH=" + dir + "/a:/b GOMODCACHE=" + dir + "/m GOCACHE=" + dir + "/c GOTMPDIR=" + dir, ""},
		{"no home", "TMPDIR=" + dir, "GOPATH=" + spare + "/go GOCACHE=" + spare + "/go-build"},
		{"a home that is no folder", "TMPDIR=" + dir + " HOME=" + file, "GOPATH=" + spare + "/go GOCACHE=" + spare + "/go-build"},
		{"no home, but caches", "TMPDIR=" + dir + " GOPATH=" + dir + " GOCACHE=" + dir, ""},
		{"GOCACHE=off", good + " GOCACHE=off", "GOCACHE=" + dir + "/.cache/go-build"},
		{"a GOCACHE that cannot be", good + " XDG_CACHE_HOME=" + dir + "/x GOCACHE=" + bad, "GOCACHE=" + dir + "/x/go-build"},
		{"a relative XDG_CACHE_HOME", good + " XDG_CACHE_HOME=x", "GOCACHE=" + dir + "/.cache/go-build"},
		{"a relative GOPATH", good + " GOPATH=" + dir + ":x", "GOPATH=" + dir + "/go"},
		{"a GOPATH that cannot be", good + " GOPATH=" + bad, "GOPATH=" + dir + "/go"},
		{"a GOMODCACHE that cannot be", good + " GOMODCACHE=" + bad, "GOMODCACHE=" + dir + "/go/pkg/mod"},
		{"a GOTMPDIR that is not there", good + " GOTMPDIR=" + dir + "/missing", "GOTMPDIR="},
		{"a TMPDIR that is not there", "HOME=" + dir + " TMPDIR=" + dir + "/missing", "TMPDIR=/tmp"},
		{"a relative TMPDIR", "HOME=" + dir + " TMPDIR=.", "TMPDIR=/tmp"},
		{"a GOTMPDIR for TMPDIR", "HOME=" + dir + " TMPDIR=" + dir + "/missing GOTMPDIR=" + dir, "TMPDIR=" + dir},
	} {
		t.Run(row.rule, func(t *testing.T) {
			env := strings.Fields(row.set)
			got := Folders(env, spare)
			if strings.Join(got, " ") != row.want {
				t.Errorf("Folders = %v, want %s", got, row.want)
			}
			if again := Folders(append(env, got...), spare); len(again) > 0 {
				t.Errorf("Folders of its own: %v, want none", again)
			}
		})
	}
}
