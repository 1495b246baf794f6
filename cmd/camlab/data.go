package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/camlab-go/camlab/camlib/cifar10"
)

func newData() *cobra.Command {
	var dir string
	var asJSON, download bool
	c := &cobra.Command{
		Use:   "data",
		Short: "Check that CIFAR-10 is there and whole; --download fetches it",
		Long: `Data checks the size and sha256 of CIFAR-10's six files, in a folder or in the
official archive, and says where they are. With --download it fetches the
archive (170 MB) when nothing is there; an interrupted download goes on where
it stopped.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			if download {
				if _, err := cifar10.Download(ctx, cifar10.Options{Dir: dir, Progress: downloadBar(cmd)}); err != nil {
					return err
				}
			}
			where, err := cifar10.Verify(ctx, dir)
			if err != nil {
				if errors.Is(err, cifar10.ErrNoData) && !download {
					return fmt.Errorf("%w; `camlab data --download` fetches it", err)
				}
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), map[string]any{"path": where, "verified": true, "images": map[string]int{"train": 50_000, "test": 10_000}})
			}
			fmt.Fprintf(cmd.OutOrStdout(), "CIFAR-10 is in %s: 50,000 training and 10,000 test images, all six checksums right\n", where)
			return nil
		},
	}
	c.Flags().StringVar(&dir, "data", "", dataUsage)
	c.Flags().BoolVar(&download, "download", false, "download the archive when it is not there")
	c.Flags().BoolVar(&asJSON, "json", false, jsonUsage)
	return c
}

// downloadBar returns a progress function that shows a bar in a terminal, and
// a line every ten seconds elsewhere.
func downloadBar(cmd *cobra.Command) func(done, total int64) {
	out := cmd.ErrOrStderr()
	if term.IsTerminal(int(os.Stderr.Fd())) {
		var bar *progressbar.ProgressBar
		return func(done, total int64) {
			if bar == nil {
				bar = progressbar.DefaultBytes(total, "downloading CIFAR-10")
			}
			_ = bar.Set64(done) // fails only when the terminal is gone
		}
	}
	last := time.Now()
	return func(done, total int64) {
		if time.Since(last) >= 10*time.Second {
			last = time.Now()
			fmt.Fprintf(out, "downloading CIFAR-10: %d of %d MB\n", done/1e6, total/1e6)
		}
	}
}
