package cli

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/flumekit/flumekit/pkg/fault"
)

// Subcommand is a subcommand of a program, with its options set.
type Subcommand interface {
	// Run does what the subcommand is for; see Run.
	Run(ctx, stop context.Context) error
}

// ParseCommands reads the command line of a program with subcommands. Grammar
// is a pointer to a struct as kong has it: a field a subcommand, each a struct
// with tags whose pointer is a Subcommand. A subcommand's method Help, if it
// has one, returns the manual that stands before its options.
//
// A long flag may be written with one dash, as flume-ng allows (-conf-file x).
//
// Answers and errors are as those of Parse. The status of errors is
// fault.Usage.
func ParseCommands(prog Program, grammar any, args []string) (Subcommand, error) {
	parser, err := kong.New(grammar, kong.Name(prog.Name), kong.NoDefaultHelp())
	if err != nil {
		return nil, fmt.Errorf("reading the tags of %T: %w", grammar, err)
	}
	root := parser.Model.Node
	if len(args) == 0 {
		return nil, usage("no command given", "%s --help lists the commands", prog.Name)
	}
	switch args[0] {
	case "--version":
		return nil, Answer(Version(prog.Name) + "\n")
	case "help":
		if child(root, "help") == nil {
			args = append(args[1:], "--help")
		}
	}
	node := selected(root, args)
	if asksForHelp(args) {
		return nil, Answer(commandPage(prog, root, node))
	}
	ctx, err := parser.Parse(twoDashes(args, node))
	if err != nil {
		return nil, misuse(err, prog, node)
	}
	command, ok := ctx.Selected().Target.Addr().Interface().(Subcommand)
	if !ok {
		return nil, fmt.Errorf("%s has no method Run(ctx, stop context.Context) error", ctx.Selected().Target.Type())
	}
	return command, nil
}

// child returns the subcommand of node that has the name.
func child(node *kong.Node, name string) *kong.Node {
	for _, c := range node.Children {
		if c.Name == name || slices.Contains(c.Aliases, name) {
			return c
		}
	}
	return nil
}

// selected returns the subcommand that args begin with, or root.
func selected(root *kong.Node, args []string) *kong.Node {
	node := root
	for _, arg := range args {
		if strings.HasPrefix(arg, "-") {
			continue
		}
		c := child(node, arg)
		if c == nil {
			break
		}
		node = c
	}
	return node
}

// twoDashes gives each long flag of node that has one dash its second.
func twoDashes(args []string, node *kong.Node) []string {
	long := map[string]bool{}
	for _, group := range node.AllFlags(false) {
		for _, flag := range group {
			for _, name := range append([]string{flag.Name}, flag.Aliases...) {
				long[name] = len(name) > 1
			}
		}
	}
	args = slices.Clone(args)
	for i, arg := range args {
		if arg == "--" {
			break
		}
		name, _, _ := strings.Cut(arg, "=")
		if rest, ok := strings.CutPrefix(name, "-"); ok && long[rest] {
			args[i] = "-" + arg
		}
	}
	return args
}

// suggestion is how kong ends the text of some of its errors.
var suggestion = regexp.MustCompile(`^(.*), did you mean (.*)\?$`)

// misuse returns kong's error in our form.
func misuse(err error, prog Program, node *kong.Node) error {
	if m := suggestion.FindStringSubmatch(err.Error()); m != nil {
		return usage(m[1], "did you mean %s?", strings.ReplaceAll(m[2], `"`, ""))
	}
	if len(node.Children) == 0 {
		err = fault.Hint(err, "write %s; %s --help is its manual", commandLine(node), node.FullPath())
	} else {
		err = fault.Hint(err, "%s --help lists the commands", prog.Name)
	}
	return fault.WithStatus(err, fault.Usage)
}

// commandPage returns the page of help for a node: the program or one command.
func commandPage(prog Program, root, node *kong.Node) string {
	var page strings.Builder
	if node == root {
		paragraph(&page, "", prog.Summary)
		usageLines(&page, append([]string{
			prog.Name + " COMMAND [--option value ...]",
			prog.Name + " COMMAND --help",
		}, prog.Usage...))
		examples(&page, prog.Examples)
	} else {
		paragraph(&page, "", node.FullPath()+": "+node.Help)
		usageLines(&page, []string{commandLine(node)})
		if node.Detail != "" {
			page.WriteString("\n" + manualText(node.Detail))
		}
	}
	commandSections(&page, node)
	if node == root && prog.More != "" {
		page.WriteString("\n")
		paragraph(&page, "", prog.More)
	}
	return page.String()
}

// commandLine returns how a command is called.
func commandLine(node *kong.Node) string {
	line := node.FullPath()
	for _, flag := range node.Flags {
		if flag.Required {
			line += " " + signature(&property{Flag: &kong.Flag{Value: flag.Value, PlaceHolder: flag.PlaceHolder}})
		}
	}
	if len(node.Flags) > 0 {
		line += " [--option value ...]"
	}
	if len(node.Children) > 0 {
		line += " COMMAND"
	}
	for _, word := range node.Positional {
		line += " " + wordOf(word)
	}
	return line
}

// commandSections writes the commands, the words and the flags of a node.
func commandSections(page *strings.Builder, node *kong.Node) {
	var commands, words [][2]string
	for _, c := range node.Children {
		if !c.Hidden {
			commands = append(commands, [2]string{c.Name, c.Help})
		}
	}
	for _, word := range node.Positional {
		if word.Help != "" {
			words = append(words, [2]string{wordOf(word), word.Help})
		}
	}
	if commands != nil {
		page.WriteString("\nCommands:\n")
		table(page, commands)
	}
	if words != nil {
		page.WriteString("\nArguments:\n")
		table(page, words)
	}
	all := &properties{}
	for _, group := range node.AllFlags(true) {
		for _, flag := range group {
			all.list = append(all.list, &property{Flag: flag})
		}
	}
	sections(page, "Options", all)
}

// wordOf returns how an argument that is no flag stands in a usage line.
func wordOf(v *kong.Value) string {
	word := v.Tag.PlaceHolder
	if word == "" {
		word = strings.ToUpper(v.Name)
	}
	if v.IsCumulative() {
		word += " ..."
	}
	if !v.Required {
		word = "[" + word + "]"
	}
	return word
}
