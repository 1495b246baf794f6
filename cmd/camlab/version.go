package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/camlab-go/camlab/internal/plugin"
)

// versions is what `camlab version --json` prints.
type versions struct {
	Camlab       string `json:"camlab"`
	Revision     string `json:"revision,omitempty"` // of the checkout, where the build knows it
	Go           string `json:"go"`
	Platform     string `json:"platform"`
	GoMLX        string `json:"gomlx"`
	GoXLA        string `json:"go_xla"`
	Plugin       string `json:"plugin"` // path, empty if there is none
	PluginSource string `json:"plugin_source"`
}

func newVersion() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the versions of camlab and of what it runs on",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := readVersions()
			if asJSON {
				return printJSON(cmd.OutOrStdout(), v)
			}
			if v.Plugin == "" {
				v.Plugin = "none; run `camlab setup`"
				if !plugin.Loads {
					v.Plugin = "none: built without cgo, which loads one"
				}
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "camlab %s\n%s %s\nGoMLX %s\ngo-xla %s\nplugin %s\n", strings.TrimSpace(v.Camlab+" "+v.Revision), v.Go, v.Platform, v.GoMLX, v.GoXLA, v.Plugin)
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, jsonUsage)
	return c
}

func readVersions() versions {
	v := versions{Camlab: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		v.Camlab = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v.Revision = s.Value
			}
		}
		for _, dep := range info.Deps {
			switch dep.Path {
			case "github.com/gomlx/gomlx":
				v.GoMLX = dep.Version
			case "github.com/gomlx/go-xla":
				v.GoXLA = dep.Version
			}
		}
	}
	v.Plugin, v.PluginSource, _ = plugin.Find("cpu") // none is shown as such
	return v
}
