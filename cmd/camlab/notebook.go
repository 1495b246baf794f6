package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/camlab-go/camlab/internal/atomicfile"
	"github.com/camlab-go/camlab/kernels"
)

func newNotebook() *cobra.Command {
	var opts kernels.RunOptions
	var asJSON bool
	var export string
	c := &cobra.Command{
		Use:   "notebook FILE.ipynb",
		Short: "Execute a notebook in a fresh kernel and check every cell",
		Long: `Notebook executes a notebook from top to bottom in a fresh kernel and writes the
result into a folder, if asked as a page that needs no network and with every
picture as a file. It fails, naming the cell, when a cell panics, does not
compile or runs a command that fails.

With --export it is not executed, but written as a Go program that does what the
cells do, in order, and prints their last expressions: without pictures, and
without the lines that are for the kernel.`,
		Example: `  camlab notebook notebooks/01_article.ipynb --quick --html --png --out out
  camlab notebook notebooks/04_importing_camlib.ipynb --export main.go`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			env, err := kernels.FindEnv()
			if err != nil {
				return err
			}
			opts.Progress = func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), line) }
			file, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			if export != "" {
				program, err := env.ExportNotebook(ctx, file)
				if err != nil {
					return err
				}
				if err := atomicfile.WriteFile(export, program); err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "program   %s\n", export)
				return err
			}
			if opts.InPlace && !cmd.Flags().Changed("out") {
				opts.Out = ""
			}
			report, err := env.RunNotebook(ctx, file, opts)
			if err != nil {
				return err
			}
			if opts.Out == "" {
				report.Notebook = file
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), report)
			}
			w := cmd.OutOrStdout()
			fmt.Fprintf(w, "executed on %s in %.1f s, every cell passed\nnotebook  %s\n", report.Kernel, report.Seconds, report.Notebook)
			if report.HTML != "" {
				fmt.Fprintf(w, "page      %s\n", report.HTML)
			}
			for _, p := range report.Pictures {
				fmt.Fprintf(w, "picture   %s\n", p)
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&opts.Out, "out", "out", "folder for what is written")
	f.StringVar(&opts.Kernel, "kernel", "", "kernel to run on (default "+kernels.XLACPU+" where installed, else "+kernels.PureGo+")")
	f.BoolVar(&opts.Quick, "quick", false, "quick mode: set CAMLAB_QUICK=1")
	f.BoolVar(&opts.HTML, "html", false, "also write an HTML page that needs no network")
	f.BoolVar(&opts.PNG, "png", false, "also write every picture as a file")
	f.BoolVar(&opts.InPlace, "in-place", false, "write the outputs into the notebook itself, metadata stripped, if it passes")
	f.StringVar(&export, "export", "", "write the cells as a Go program into this file, and execute nothing")
	c.MarkFlagsMutuallyExclusive("export", "in-place")
	c.MarkFlagsMutuallyExclusive("export", "html")
	c.MarkFlagsMutuallyExclusive("export", "png")
	f.BoolVar(&asJSON, "json", false, jsonUsage)
	return c
}
