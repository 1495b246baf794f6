// Package plugin finds the PJRT plugin, the shared library through which GoMLX
// compiles and runs everything, and the settings that it runs with.
//
// It imports neither GoMLX nor go-xla: camlib.Backend, the kernels' installer
// and the command line all ask it before a plugin is loaded.
package plugin

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
)

// PathEnv names the variable that holds the folders to search first,
// separated by colons; go-xla reads the same one.
const PathEnv = "PJRT_PLUGIN_LIBRARY_PATH"

// ErrNotFound is what Find's error wraps when no folder holds the plugin.
var ErrNotFound = errors.New("no such PJRT plugin; run `camlab setup`, which installs one for the CPU")

// noCgo is the ErrNotFound of a program that can load no plugin.
type noCgo struct{}

func (noCgo) Error() string {
	return "this camlab was built without cgo, which loads plugins; it has the pure-Go backend only"
}

func (noCgo) Is(target error) bool { return target == ErrNotFound }

// FlagsFile is the name of a file beside a plugin that holds the XLA_FLAGS which
// that plugin is to run with: on its first line those for camlab's own networks, on the
// second, if there is one, those for [RunForeign]. They belong to the plugin because an XLA
// that does not know a flag ends the process.
const FlagsFile = "XLA_FLAGS"

// foreign says that this process runs graphs from files of other programs.
var foreign atomic.Bool

// RunForeign says that this process is to run graphs from files of other programs: [ApplyFlags]
// uses the flags for those from then on. Flags that make camlab's own networks fast may make
// others slow, or XLA end the process.
func RunForeign() { foreign.Store(true) }

// Fragile returns those of some XLA_FLAGS under which XLA ends the process for some graphs:
// oneDNN's, which has no primitive for some convolutions ("could not create a primitive
// descriptor").
func Fragile(flags string) []string {
	return slices.DeleteFunc(strings.Fields(flags), func(f string) bool { return !isFragile(f) })
}

func isFragile(flag string) bool { return strings.Contains(flag, "onednn") }

// Flags returns what the FlagsFile of the plugin at path says, if it has one. Of one line, as
// setup wrote it once, foreign is what is not [Fragile].
func Flags(path string) (own, foreign string, err error) {
	data, err := os.ReadFile(filepath.Join(filepath.Dir(path), FlagsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", nil
	}
	if err != nil {
		return "", "", fmt.Errorf("plugin: flags: %w", err)
	}
	own, foreign, two := strings.Cut(strings.TrimSuffix(string(data), "\n"), "\n")
	if !two {
		foreign = strings.Join(slices.DeleteFunc(strings.Fields(own), isFragile), " ")
	}
	return strings.TrimSpace(own), strings.TrimSpace(foreign), nil
}

// ApplyFlags puts the flags of the plugin at path, if it has any, into the
// environment of this process, unless that has its own. It has an effect
// only before the first plugin is loaded.
func ApplyFlags(path string) error {
	if _, ok := os.LookupEnv("XLA_FLAGS"); ok {
		return nil
	}
	flags, foreigners, err := Flags(path)
	if err != nil {
		return err
	}
	if foreign.Load() {
		flags = foreigners
	}
	if flags == "" {
		return nil
	}
	return os.Setenv("XLA_FLAGS", flags)
}

// Find returns the absolute path of the PJRT plugin for a device, "cpu" or
// "cuda", and in words where it was found. It looks, in this order, in
//
//   - the folders of PJRT_PLUGIN_LIBRARY_PATH,
//   - go-xla's standard folders (~/.local/lib/go-xla, /usr/local/lib/go-xla,
//     the system's library folders),
//   - lib/pjrt of the environment that the running program belongs to,
//   - .venv/lib/pjrt beside the go.mod of the working directory's module.
//
// The file is only looked for, not loaded. When there is none, or the program
// was built without cgo and cannot load it, the error is an ErrNotFound.
func Find(device string) (path, source string, err error) {
	if !Loads {
		return "", "", fmt.Errorf("plugin: %s: %w", device, noCgo{})
	}
	for _, place := range places() {
		if path, ok := lookIn(place.dir, device); ok {
			return path, place.source, nil
		}
	}
	return "", "", fmt.Errorf("plugin: %s: %w", device, ErrNotFound)
}

// FileName returns the name under which go-xla recognises the plugin of a
// device on this operating system.
func FileName(device string) string {
	return "pjrt_c_api_" + device + "_plugin" + extension()
}

type place struct{ dir, source string }

func places() []place {
	var all []place
	for _, dir := range filepath.SplitList(os.Getenv(PathEnv)) {
		all = append(all, place{dir, PathEnv})
	}
	for _, dir := range standardDirs() {
		all = append(all, place{dir, "go-xla's standard folders"})
	}
	if exe, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
		all = append(all, place{filepath.Join(filepath.Dir(exe), "..", "lib", "pjrt"), "the environment of this program"})
	}
	if dir, err := os.Getwd(); err == nil {
		if root, ok := moduleRoot(dir); ok {
			all = append(all, place{filepath.Join(root, ".venv", "lib", "pjrt"), "the environment of this checkout"})
		}
	}
	return all
}

// UserDir is the user's own one of go-xla's standard folders.
func UserDir() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("plugin: %w", err)
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support", "go-xla"), nil
	}
	return filepath.Join(home, ".local", "lib", "go-xla"), nil
}

// standardDirs are the folders that go-xla v0.4.1 searches when PathEnv is
// unset (pjrt/dynamiclib_posix.go and dynamiclib_darwin.go), in its order.
func standardDirs() []string {
	var dirs []string
	if dir, err := UserDir(); err == nil {
		dirs = append(dirs, dir, filepath.Join(dir, "nvidia"), filepath.Join(filepath.Dir(dir), "gomlx", "pjrt"))
	}
	dirs = append(dirs, "/usr/local/lib/go-xla", "/usr/local/lib/go-xla/nvidia", "/usr/local/lib/gomlx/pjrt")
	for _, dir := range filepath.SplitList(os.Getenv("LD_LIBRARY_PATH")) {
		if filepath.IsAbs(dir) {
			dirs = append(dirs, dir)
		}
	}
	return append(dirs, loaderDirs("/etc/ld.so.conf", 0)...)
}

// loaderDirs reads the folders listed in a configuration file of the system's
// dynamic loader, and in the files that it includes.
func loaderDirs(file string, depth int) []string {
	const maxDepth = 8 // ends a file that includes itself
	text, err := os.ReadFile(file)
	if err != nil || depth > maxDepth {
		return nil
	}
	var dirs []string
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		if pattern, ok := strings.CutPrefix(line, "include "); ok {
			files, _ := filepath.Glob(strings.TrimSpace(pattern)) // a bad pattern matches nothing
			for _, f := range files {
				dirs = append(dirs, loaderDirs(f, depth+1)...)
			}
		} else if filepath.IsAbs(line) {
			dirs = append(dirs, line)
		}
	}
	return dirs
}

// lookIn finds a device's plugin in one folder, under any of the names that
// go-xla accepts.
func lookIn(dir, device string) (string, bool) {
	for _, name := range []string{
		"pjrt-plugin-" + device + extension(),
		"pjrt_plugin_" + device + extension(),
		FileName(device),
	} {
		path, err := filepath.Abs(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, true
		}
	}
	return "", false
}

func extension() string {
	if runtime.GOOS == "darwin" {
		return ".dylib"
	}
	return ".so"
}

// moduleRoot walks up from dir to the folder that holds a go.mod.
func moduleRoot(dir string) (string, bool) {
	for {
		_, err := os.Stat(filepath.Join(dir, "go.mod"))
		if err == nil {
			return dir, true
		}
		parent := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) || parent == dir {
			return "", false
		}
		dir = parent
	}
}
