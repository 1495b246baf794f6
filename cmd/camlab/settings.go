package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// settings are what the results depend on. A run goes on only with the same.
type settings map[string]string

// settings are what the results depend on.
func (o *explainFlags) settings(cmd *cobra.Command, net *model, m *manifest, s *subjects) (settings, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	info, err := os.Stat(program)
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	all := settings{
		"camlab":              fmt.Sprint(m.Versions, info.Size(), info.ModTime().UnixNano()), // a build of a checkout has no other version
		"the model's weights": m.ModelSHA256, "the model's card": net.card, "the classes": fmt.Sprint(m.Classes),
		"the backend": m.Backend, "the images": s.identity,
	}
	if net.card != "" { // which may have a layer of its own
		all["the model's layer"] = net.net.ExplainedLayer()
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		switch f.Name {
		case "out", "json", "data", "backend", "null", "help": // what they change is above, or nothing
		default:
			all["--"+f.Name] = f.Value.String()
		}
	})
	return all, nil
}

// sum is what stands for the settings in a manifest.
func (s settings) sum() string {
	text, _ := json.Marshal(s) // of strings, in the order of their names
	return fmt.Sprintf("%x", sha256.Sum256(text))
}

// differ lists the settings that are not those of another run.
func (s settings) differ(other settings) (names []string) {
	for name, value := range s {
		if was, ok := other[name]; !ok || was != value {
			names = append(names, name)
		}
	}
	for name := range other {
		if _, ok := s[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
