package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flumekit/flumekit/pkg/fault"
)

// flumeOption is an option of a command of flume-ng's.
type flumeOption struct {
	long, short string
	valued      bool
	many        bool
	role        optionRole
	hint        string // how to do without it
}

// optionRole is what becomes of an option of flume-ng's.
type optionRole int

const (
	taken   optionRole = iota // it is an option of the command of fctl
	ignored                   // it is accepted, and whoever gives it is told
	refused                   // the agent would not be what was asked for
)

const fileHint = "write the configuration to a file and name that with --conf-file"

// agentOptions are the options of Flume's launcher and its agent.
var agentOptions = []flumeOption{
	{long: "name", short: "n", valued: true},
	{long: "conf-file", short: "f", valued: true, many: true},
	{long: "conf", short: "c", valued: true},
	{long: "no-reload-conf"},
	{long: "help", short: "h"},
	{long: "poll-interval", short: "i", valued: true, role: ignored},
	{long: "classpath", short: "C", valued: true, role: ignored},
	{long: "plugins-path", valued: true, role: ignored},
	{long: "dryrun", short: "d", role: refused, hint: "fctl plan FILE shows what would be started"},
	{long: "conf-uri", short: "u", valued: true, role: refused, hint: fileHint},
	{long: "auth-provider", short: "a", valued: true, role: refused, hint: fileHint},
	{long: "conf-provider", short: "prov", valued: true, role: refused, hint: fileHint},
	{long: "conf-user", short: "user", valued: true, role: refused, hint: fileHint},
	{long: "conf-password", short: "pwd", valued: true, role: refused, hint: fileHint},
	{long: "backup-directory", short: "b", valued: true, role: refused, hint: "keep the file under version control"},
	{long: "zkConnString", short: "z", valued: true, role: refused, hint: fileHint},
	{long: "zkBasePath", short: "p", valued: true, role: refused, hint: fileHint},
}

// javaOptions begin the options that are for Java's virtual machine.
var javaOptions = []string{"-D", "-X", "-agentlib", "-agentpath", "-javaagent"}

// fromFlume returns the arguments of a command of fctl for those of flume-ng's,
// which has these options. They may be written as Flume's parser has them: -n a1, -na1, -n=a1, --name a1,
// --name=a1, -name a1, and any beginning of a name that only one option has.
// What is no option of Flume's it returns as it is.
func fromFlume(options []flumeOption, args []string) ([]string, error) {
	var out []string
	seen := make(map[string]bool)
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return append(out, args[i:]...), nil
		}
		if isJava(arg) {
			out = append(out, "--ignored="+arg)
			continue
		}
		option, value, attached, err := readOption(options, arg)
		switch {
		case err != nil:
			return nil, err
		case option == nil:
			out = append(out, arg)
			continue
		case option.role == refused:
			err := fmt.Errorf("%s: --%s is not supported", arg, option.long)
			return nil, fault.WithStatus(fault.Hint(err, "%s", option.hint), fault.Usage)
		case option.valued && !attached:
			i++
			if i == len(args) || isOption(options, args[i]) {
				//lint:ignore ST1005 it is Flume's text
				err := fmt.Errorf("Missing argument for option: %s", option.name())
				return nil, fault.WithStatus(fault.Hint(err, "write --%s=%s", option.long, strings.ToUpper(option.long)), fault.Usage)
			}
			value = args[i]
		}
		if seen[option.long] && !option.many {
			continue // Flume's parser keeps the first
		}
		seen[option.long] = true
		switch {
		case option.role == ignored:
			out = append(out, "--ignored=--"+option.long)
		case option.valued:
			out = append(out, "--"+option.long+"="+value)
		default:
			out = append(out, "--"+option.long)
		}
	}
	return out, nil
}

func isJava(arg string) bool {
	return slices.ContainsFunc(javaOptions, func(prefix string) bool { return strings.HasPrefix(arg, prefix) })
}

func isOption(options []flumeOption, arg string) bool {
	option, _, _, err := readOption(options, arg)
	return option != nil || err != nil
}

// name returns what Flume's messages call the option.
func (o *flumeOption) name() string {
	if o.short != "" {
		return o.short
	}
	return o.long
}

// readOption returns the option that arg is, and the value that is attached to
// it; nil if arg is none.
func readOption(options []flumeOption, arg string) (option *flumeOption, value string, attached bool, err error) {
	word, long := strings.CutPrefix(arg, "--")
	if !long {
		var dash bool
		if word, dash = strings.CutPrefix(arg, "-"); !dash || word == "" {
			return nil, "", false, nil
		}
	}
	name, value, attached := strings.Cut(word, "=")
	for i, o := range options {
		if name == o.long || (!long && name == o.short) {
			return &options[i], value, attached, nil
		}
	}
	var begun []*flumeOption
	for i, o := range options {
		if strings.HasPrefix(o.long, name) {
			begun = append(begun, &options[i])
		}
	}
	switch {
	case len(begun) == 1:
		return begun[0], value, attached, nil
	case len(begun) > 1:
		var names []string
		for _, o := range begun {
			names = append(names, "--"+o.long)
		}
		//lint:ignore ST1005 it is Flume's text
		err := fmt.Errorf("Ambiguous option: '%s'", arg)
		return nil, "", false, fault.WithStatus(fault.Hint(err, "it could be %s", strings.Join(names, ", ")), fault.Usage)
	case long:
		return nil, "", false, nil
	}
	for i, o := range options {
		if o.valued && len(o.short) == 1 && strings.HasPrefix(word, o.short) {
			return &options[i], word[1:], true, nil
		}
	}
	return nil, "", false, nil
}
