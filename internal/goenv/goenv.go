// Package goenv is the one place that decides in which environment a go command
// runs: those of setup, of the notebook kernels, of the makefile and its tests.
//
// Two kinds of settings reach the go command, from variables, from the file that
// `go env -w` writes (GOENV), and from a go.work in a folder above. The first kind
// says where modules come from and where they and what is compiled are kept. It is
// the user's: a company's GOPROXY, a GOMODCACHE on a larger disk. The second kind
// says what to build and how: GOOS, GOFLAGS=-mod=vendor, GO111MODULE, GOWORK, CC. It
// is meant for the user's own programs; camlab's would fail, or be compiled anew for
// minutes.
//
// [Settings] gives every variable that the go command heeds a value: the user's for
// the first kind, empty, which is the default, for the second. With GOENV=off the
// file, already read for the first kind, has no say. Being a value for each, the
// table can stand in a kernelspec, where Jupyter puts it over what it was started
// with; a setting that a notebook makes itself (%env GOFLAGS=...) still holds.
//
// [Folders] then looks whether the folders can be used: a TMPDIR in which programs
// cannot be run, a HOME that does not exist, GOCACHE=off. Where one cannot, another
// takes its place, in the end one in the spare folder. It is asked each time, for
// that depends on who starts the program and on the machine.
package goenv

import (
	"cmp"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/camlab-go/camlab/internal/disk"
)

// names are the variables that the go command heeds: KnownEnv of Go 1.26's
// internal/cfg.
var names = strings.Fields(`
	AR CC CGO_CFLAGS CGO_CFLAGS_ALLOW CGO_CFLAGS_DISALLOW CGO_CPPFLAGS CGO_CPPFLAGS_ALLOW CGO_CPPFLAGS_DISALLOW
	CGO_CXXFLAGS CGO_CXXFLAGS_ALLOW CGO_CXXFLAGS_DISALLOW CGO_ENABLED CGO_FFLAGS CGO_FFLAGS_ALLOW CGO_FFLAGS_DISALLOW
	CGO_LDFLAGS CGO_LDFLAGS_ALLOW CGO_LDFLAGS_DISALLOW CXX FC GCCGO GO111MODULE GO386 GOAMD64 GOARCH GOARM GOARM64
	GOAUTH GOBIN GOCACHE GOCACHEPROG GOENV GOEXE GOEXPERIMENT GOFIPS140 GOFLAGS GOGCCFLAGS GOHOSTARCH GOHOSTOS
	GOINSECURE GOMIPS GOMIPS64 GOMODCACHE GONOPROXY GONOSUMDB GOOS GOPATH GOPPC64 GOPRIVATE GOPROXY GORISCV64 GOROOT
	GOSUMDB GOTMPDIR GOTOOLCHAIN GOTOOLDIR GOVCS GOWASM GOWORK GO_EXTLINK_ENABLED PKG_CONFIG`)

// proxied is the GONOPROXY of Settings: it matches no module.
const proxied = "none,none"

// Environ returns the environment of this process with Settings and Folders.
func Environ(spare string) []string {
	env := os.Environ()
	env = append(env, Settings(env)...)
	set := table(append(env, Folders(env, spare)...))
	all := make([]string, 0, len(set))
	for _, name := range slices.Sorted(maps.Keys(set)) { // each once: exec takes the first
		all = append(all, name+"="+set[name])
	}
	return all
}

// Settings returns a value, as NAME=value, for every variable that the go command
// heeds. Setting them once more changes nothing.
//
// All that camlab itself is built from is public, so that no module is exempt from
// the proxy; which the user exempts is kept in GOPRIVATE, for Direct.
func Settings(env []string) []string {
	user := User(env)
	kept := map[string]string{
		"GOENV": "off", "GOWORK": "off",
		"GONOPROXY": proxied, "GOPRIVATE": Direct(env),
		"GONOSUMDB": cmp.Or(user["GONOSUMDB"], user["GOPRIVATE"], "none"),
	}
	for _, name := range []string{"GOAUTH", "GOCACHE", "GOINSECURE", "GOMODCACHE", "GOPATH", "GOTMPDIR", "GOVCS"} {
		kept[name] = user[name]
	}
	if proxies.MatchString(user["GOPROXY"]) {
		kept["GOPROXY"] = user["GOPROXY"]
	}
	if checksumDB.MatchString(user["GOSUMDB"]) {
		kept["GOSUMDB"] = user["GOSUMDB"]
	}
	// One named by its version may be one that cannot be had, or older than go.mod wants.
	if slices.Contains([]string{"local", "path", "auto"}, user["GOTOOLCHAIN"]) {
		kept["GOTOOLCHAIN"] = user["GOTOOLCHAIN"]
	}
	kept["GOFLAGS"] = strings.Join(slices.DeleteFunc(strings.Fields(user["GOFLAGS"]), func(flag string) bool {
		return !slices.Contains([]string{"-modcacherw", "-trimpath", "-buildvcs=false"}, strings.Replace(flag, "--", "-", 1))
	}), " ")
	var all []string
	for _, name := range names {
		all = append(all, name+"="+kept[name])
	}
	return all
}

// The form of GOPROXY, a list, and of GOSUMDB.
var (
	proxies    = regexp.MustCompile(`^[,|]*(off|direct|noproxy|(https?|file)://[^\s,|]+|[^\s,|/:]+\.[^\s,|]*)([,|]+(off|direct|noproxy|(https?|file)://[^\s,|]+|[^\s,|/:]+\.[^\s,|]*))*[,|]*$`)
	checksumDB = regexp.MustCompile(`^(off|sum\.golang\.org|sum\.golang\.google\.cn|[^+\s]+\+[0-9a-f]{8}\+\S+)( \S+)?$`)
)

// Direct returns the patterns of the modules that the user's settings exempt from
// the proxies.
func Direct(env []string) string {
	user := User(env)
	if user["GONOPROXY"] == proxied {
		return user["GOPRIVATE"]
	}
	return cmp.Or(user["GONOPROXY"], user["GOPRIVATE"])
}

// LeftOut returns, as NAME=value, what the user has set and Settings sets otherwise.
func LeftOut(env []string) []string {
	user, all := User(env), table(Settings(env))
	var out []string
	for _, name := range names {
		exempt := name == "GOENV" || name == "GONOPROXY" || name == "GOPRIVATE"
		if v := user[name]; v != "" && v != all[name] && !exempt && v != "off" {
			out = append(out, name+"="+v)
		}
	}
	return out
}

// User returns what is set in the environment or, where it is not, in the file that
// `go env -w` writes.
func User(env []string) map[string]string {
	set := table(env)
	file := set["GOENV"]
	if file == "" {
		if config := userDir(set, "XDG_CONFIG_HOME", "Library/Application Support", ".config"); config != "" {
			file = filepath.Join(config, "go", "env")
		}
	}
	all := map[string]string{}
	if text, err := os.ReadFile(file); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
				all[name] = value
			}
		}
	}
	for _, name := range names {
		if set[name] != "" {
			all[name] = set[name]
		}
	}
	return all
}

// Folders returns, as NAME=value, TMPDIR, GOTMPDIR, GOPATH, GOMODCACHE and GOCACHE
// where those of an environment cannot be used. What has to be made up lies in the
// spare folder. Where nothing can be used they stay as they are.
func Folders(env []string, spare string) []string {
	set := table(env)
	var out []string
	choose := func(name string, usable func(string) bool, candidates ...string) string {
		for i, dir := range candidates {
			if filepath.IsAbs(dir) && usable(dir) {
				if i > 0 {
					out = append(out, name+"="+dir)
				}
				return dir
			}
		}
		return ""
	}
	if dir := set["GOTMPDIR"]; dir != "" && !Runs(dir) {
		out = append(out, "GOTMPDIR=")
		set["GOTMPDIR"] = ""
	}
	tmp := filepath.Join(spare, "tmp")
	choose("TMPDIR", func(dir string) bool {
		if dir == tmp {
			_ = os.MkdirAll(tmp, 0o755) // Runs tells
		}
		return Runs(dir)
	}, cmp.Or(set["TMPDIR"], "/tmp"), set["GOTMPDIR"], "/tmp", "/var/tmp", tmp)

	home := func(path ...string) string {
		if set["HOME"] == "" {
			return ""
		}
		return filepath.Join(append([]string{set["HOME"]}, path...)...)
	}
	goPath := choose("GOPATH", func(list string) bool {
		dirs := filepath.SplitList(list)
		return !slices.ContainsFunc(dirs, func(dir string) bool { return !filepath.IsAbs(dir) }) && (Writable(dirs[0]) || holdsModules(filepath.Join(dirs[0], "pkg", "mod")))
	}, cmp.Or(set["GOPATH"], home("go")), home("go"), filepath.Join(spare, "go"))
	if dir := set["GOMODCACHE"]; dir != "" && goPath != "" {
		first := filepath.SplitList(goPath)[0]
		choose("GOMODCACHE", func(dir string) bool { return Writable(dir) || holdsModules(dir) }, dir, filepath.Join(first, "pkg", "mod"))
	}
	cache := userDir(set, "XDG_CACHE_HOME", "Library/Caches", ".cache")
	if cache != "" {
		cache = filepath.Join(cache, "go-build")
	}
	choose("GOCACHE", Writable, cmp.Or(set["GOCACHE"], cache), cache, home(".cache", "go-build"), filepath.Join(spare, "go-build"))
	return out
}

// room is what a cell's program and its compilation take, in bytes.
const room = 100e6

// Runs reports whether a program can be put into a folder and run there.
func Runs(dir string) bool { return WhyNotRuns(dir) == nil }

// WhyNotRuns is nil where a program can be put into a folder and run there.
func WhyNotRuns(dir string) error {
	f, err := os.CreateTemp(dir, "camlab-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := f.Chmod(0o700); err != nil {
		return err
	}
	// The system denies permission where the folder is mounted noexec.
	if _, err := exec.LookPath(f.Name()); err != nil {
		return &os.PathError{Op: "run a program in", Path: dir, Err: syscall.EACCES}
	}
	return hasRoom(dir)
}

func hasRoom(dir string) error {
	if free, err := disk.Free(dir); err == nil && free < room {
		return &os.PathError{Op: "write into", Path: dir, Err: syscall.ENOSPC}
	}
	return nil
}

// Writable reports whether files can be written into a folder, which need not exist.
func Writable(dir string) bool {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	f, err := os.CreateTemp(dir, "camlab-")
	if err != nil {
		return false
	}
	f.Close()
	return os.Remove(f.Name()) == nil && hasRoom(dir) == nil
}

// holdsModules tells whether a module cache can at least be read, as that of an
// administrator can.
func holdsModules(dir string) bool {
	entries, err := os.ReadDir(filepath.Join(dir, "cache", "download"))
	return err == nil && len(entries) > 0
}

// userDir is one of the folders of os.UserCacheDir and os.UserConfigDir, or empty.
func userDir(set map[string]string, variable, darwin, other string) string {
	switch {
	case runtime.GOOS == "darwin" && set["HOME"] != "":
		return filepath.Join(set["HOME"], filepath.FromSlash(darwin))
	case filepath.IsAbs(set[variable]):
		return set[variable]
	case set["HOME"] != "" && set[variable] == "":
		return filepath.Join(set["HOME"], other)
	}
	return ""
}

func table(env []string) map[string]string {
	return maps.Collect(func(yield func(string, string) bool) {
		for _, v := range env {
			if name, value, ok := strings.Cut(v, "="); ok && !yield(name, value) {
				return
			}
		}
	})
}
