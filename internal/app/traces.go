package app

import (
	"context"

	"github.com/tangkal/tangkal/internal/mail"
	"github.com/tangkal/tangkal/internal/outbox"
	"github.com/tangkal/tangkal/internal/trace"
)

// openTrace makes what tells traces, if there is somebody to tell.
func (a *App) openTrace(ctx context.Context) (err error) {
	if a.Config.Traces == "" {
		return nil
	}
	a.Trace, err = trace.New(ctx, trace.Options{
		Endpoint: a.Config.Traces, Share: a.Config.TracesShare, Version: thisBuild().Version, Instance: a.Config.InstanceCode, Log: a.Log,
	})
	return err
}

// tracedHook gives each webhook message a span.
func (a *App) tracedHook(send outbox.Sender) outbox.Sender {
	if a.Trace == nil {
		return send
	}
	return func(ctx context.Context, m outbox.Message) outbox.Result {
		ctx, end := a.Trace.Begin(ctx, "webhook")
		r := send(ctx, m)
		end(!r.OK())
		return r
	}
}

// tracedMail gives each letter a span.
func (a *App) tracedMail(send mail.Sender) mail.Sender {
	if a.Trace == nil || send == nil {
		return send
	}
	return func(ctx context.Context, m mail.Message) mail.Result {
		ctx, end := a.Trace.Begin(ctx, "mail")
		r := send(ctx, m)
		end(!r.OK)
		return r
	}
}
