package train

import (
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// Environment is where a training was begun: what its numbers may depend on beside its
// settings, as far as the program knows. Unknown parts are empty.
type Environment struct {
	Versions  map[string]string `json:"versions,omitempty"`  // of camlab, go, gomlx and go-xla
	Commit    string            `json:"commit,omitempty"`    // of camlab's source, with a + if it was changed since
	Processor string            `json:"processor,omitempty"` // its name
	Threads   int               `json:"threads,omitempty"`   // that it runs at the same time
	Started   time.Time         `json:"started,omitzero"`
}

// environment returns that of this process.
func environment() Environment {
	e := Environment{
		Versions:  map[string]string{"go": runtime.Version()},
		Processor: processor(), Threads: runtime.GOMAXPROCS(0), Started: time.Now().UTC().Truncate(time.Second),
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return e
	}
	for _, m := range append(info.Deps, &info.Main) {
		switch m.Path {
		case "github.com/camlab-go/camlab":
			e.Versions["camlab"] = m.Version
		case "github.com/gomlx/gomlx":
			e.Versions["gomlx"] = m.Version
		case "github.com/gomlx/go-xla":
			e.Versions["go-xla"] = m.Version
		}
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			e.Commit = s.Value + e.Commit
		case s.Key == "vcs.modified" && s.Value == "true":
			e.Commit += "+"
		}
	}
	return e
}

// processor returns the name of the processor as Linux has it.
func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(info)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
