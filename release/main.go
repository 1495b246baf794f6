// Command release makes a release of the commit that is checked out: for every
// platform an archive of camlab, with the licenses of all that is linked into
// it, and a bill of materials, and the checksums of these files. The same
// commit gives the same bytes in any folder. docs/releases.md tells more.
package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/camlab-go/camlab/internal/goenv"
)

// sbomTool writes the bills of materials.
const sbomTool = "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0"

// target is a platform to build for.
type target struct {
	os, arch string
	zig      string // zig's name of it, with the oldest glibc; none: built without cgo, so without XLA
}

var targets = []target{
	{"linux", "amd64", "x86_64-linux-gnu.2.28"}, // glibc of Debian 10, RHEL 8
	{"linux", "arm64", "aarch64-linux-gnu.2.28"},
	{"darwin", "arm64", ""},
}

func main() {
	out := flag.String("out", "out/release", "folder to write into, new or empty")
	python := flag.String("python", "python3", "path of a Python that has the package ziglang, the C compiler for every platform")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *out, *python)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "release: %v\n", err)
		os.Exit(1)
	}
}

// run makes a release of the checkout in the working directory.
func run(ctx context.Context, out, python string) error {
	python, err := exec.LookPath(python)
	if err == nil {
		python, err = filepath.Abs(python) // cgo calls it in other folders
	}
	if err != nil {
		return err
	}
	if there, err := os.ReadDir(out); err == nil && len(there) > 0 {
		return fmt.Errorf("%s is not empty, want a new folder", out)
	}
	when, err := commitTime(ctx)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "camlab-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for _, t := range targets {
		fmt.Printf("%s/%s\n", t.os, t.arch)
		if err := t.release(ctx, tmp, out, python, when); err != nil {
			return fmt.Errorf("%s/%s: %w", t.os, t.arch, err)
		}
	}
	return writeChecksums(out)
}

// commitTime is SOURCE_DATE_EPOCH, else the time of the commit.
func commitTime(ctx context.Context) (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		out, err := command(ctx, nil, "git", "log", "-1", "--format=%ct")
		if err != nil {
			return time.Time{}, err
		}
		text = strings.TrimSpace(string(out))
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("time of the commit is %q, want seconds since 1970", text)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// release builds one platform's archive and bill of materials.
func (t target) release(ctx context.Context, tmp, out, python string, when time.Time) error {
	program := filepath.Join(tmp, t.os+"-"+t.arch, "camlab")
	// The linker is Go's: zig's and the system's would add code of their own.
	if _, err := command(ctx, t.env(python), "go", "build", "-trimpath", "-buildvcs=true", "-ldflags=-s -w -buildid= -linkmode=internal", "-o", program, "./cmd/camlab"); err != nil {
		return err
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return err
	}
	version := info.Main.Version
	if version == "(devel)" {
		return errors.New("go build finds no version here, want a clone made by git (it does not look into git's worktrees)")
	}
	if strings.HasSuffix(version, "+dirty") {
		return errors.New("the checkout has changes or files that are not committed, want none")
	}
	modules, err := linked(ctx, t.env(python), info)
	if err != nil {
		return err
	}
	notices, err := notices(modules)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("camlab_%s_%s_%s", version, t.os, t.arch)
	files := []file{{name + "/THIRD_PARTY_NOTICES", 0o644, notices}}
	for _, f := range []struct {
		path string
		mode int64
	}{{program, 0o755}, {"LICENSE", 0o644}, {"NOTICE", 0o644}, {"README.md", 0o644}} {
		data, err := os.ReadFile(f.path)
		if err != nil {
			return err
		}
		files = append(files, file{name + "/" + filepath.Base(f.path), f.mode, data})
	}
	var archive bytes.Buffer
	if err := writeArchive(&archive, files, when); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, name+".tar.gz"), archive.Bytes(), 0o644); err != nil {
		return err
	}
	return bill(ctx, program, version, filepath.Join(out, name+".cdx.json"))
}

// plain is what go commands get beside goenv.Environ, which leaves out what the
// user's own sets for the code that is built.
var plain = []string{"GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "CGO_ENABLED=0"}

// env is the environment of the go commands of a platform.
func (t target) env(python string) []string {
	env := append(slices.Clone(plain), "GOOS="+t.os, "GOARCH="+t.arch)
	if t.zig != "" {
		env = append(env, "CGO_ENABLED=1", "CC='"+python+"' -m ziglang cc -target "+t.zig)
	}
	return env
}

// bill writes the program's bill of materials, without the number and the time
// that would tell two of the same program apart. The tool itself is in it, with
// its hashes.
func bill(ctx context.Context, program, version, path string) error {
	_, err := command(ctx, plain, "go", "run", "-trimpath", sbomTool, "bin", "-json", "-std", "-noserial", "-notimestamp",
		"-version", version, "-output", path, program)
	return err
}

// command runs a program, with env beside this one's, and returns what it prints.
func command(ctx context.Context, env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(goenv.Environ(""), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, nil
}
