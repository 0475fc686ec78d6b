package cli

import (
	"fmt"
	"go/doc/comment"
	"strings"

	"github.com/flumekit/flumekit/pkg/component"
)

// Markdown returns the reference page of a component: what Manual says, for a
// reader of the source tree. The options that every component of the program
// has are not in it. A Program without a name has no usage line: interceptors
// and the like are not run by themselves.
func Markdown[O any](prog Program, spec component.Spec[O]) (string, error) {
	all, err := load(spec.New(), "")
	if err != nil {
		return "", err
	}
	var page strings.Builder
	fmt.Fprintf(&page, "# %s %s\n\n%s\n", spec.Name, prog.Kind, spec.Summary)
	if prog.Name != "" {
		fmt.Fprintf(&page, "\n    %s\n", usageLine(prog, spec))
	}
	if spec.Manual != "" {
		printer := comment.Printer{
			HeadingLevel: 2,
			HeadingID:    func(*comment.Heading) string { return "" },
		}
		page.WriteString("\n")
		page.Write(printer.Markdown(parse(spec.Manual)))
	}
	found, idle := split("Properties", all)
	for _, s := range found {
		fmt.Fprintf(&page, "\n## %s\n\n| Property | Value | Default | Meaning |\n|---|---|---|---|\n", s.title)
		for _, p := range s.list {
			value := placeholder(p)
			if p.isBool() {
				value = "true\\|false"
			}
			fmt.Fprintf(&page, "| `%s` | %s | %s | %s |\n", p.Name, cell(value),
				cell(strings.TrimPrefix(state(p), "default ")), cell(p.Help))
		}
	}
	if idle != nil {
		page.WriteString("\n## Without effect\n\nThese properties of Flume's are accepted, with a notice.\n\n| Property | Why |\n|---|---|\n")
		for _, p := range idle {
			fmt.Fprintf(&page, "| `%s` | %s |\n", p.Name, cell(sentence(p.notice())))
		}
	}
	if spec.Class != "" {
		fmt.Fprintf(&page, "\nIn Flume's configuration the type is `%s` or `%s`.\n", spec.Name, spec.Class)
	}
	return page.String(), nil
}

// cell returns text as it can stand in a table.
func cell(text string) string {
	return strings.NewReplacer("\\|", "\\|", "|", "\\|", "<", "&lt;", ">", "&gt;", "\n", " ").Replace(text)
}
