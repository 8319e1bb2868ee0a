// Composes a front page, prints it, and tells what came into view and what was clicked.
//
//	go run . [host:port] [user id]
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	commonv1 "example.com/planogram-example/gen/planogram/common/v1"
	eventsv1 "example.com/planogram-example/gen/planogram/events/v1"
	layoutv1 "example.com/planogram-example/gen/planogram/layout/v1"
)

// Retried within the deadline: a layout process that restarts costs no page.
const serviceConfig = `{
  "loadBalancingConfig": [{"round_robin": {}}],
  "methodConfig": [{
    "name": [{"service": "planogram.layout.v1.LayoutService"}],
    "retryPolicy": {"maxAttempts": 3, "initialBackoff": "0.02s", "maxBackoff": "0.2s",
                    "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]}
  }]
}`

func main() {
	target, userID := argument(1, "127.0.0.1:7070"), argument(2, "shopper-00042")
	connection, err := grpc.NewClient(target,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(serviceConfig))
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	layout := layoutv1.NewLayoutServiceClient(connection)

	page, err := compose(layout, &layoutv1.ComposePageRequest{
		Shopper: &commonv1.Shopper{UserId: userID, SessionId: "visit-1", Consent: commonv1.Consent_CONSENT_GRANTED},
		Context: &commonv1.PageContext{PageType: commonv1.PageType_PAGE_TYPE_HOME, Locale: "en"},
	}, instead())
	if err != nil {
		log.Fatal(err)
	}
	for _, slot := range page.Slots {
		fmt.Printf("%s (%s): %s\n", slot.Title, slot.TemplateId, strings.Join(itemIDs(slot), ", "))
	}
	if page.PageId == "" {
		return
	}
	stored, err := record(layout, events(page))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d events are on disk\n", stored)
}

// compose answers the page for one view, or another page where there is no answer within 250 ms.
func compose(
	layout layoutv1.LayoutServiceClient, request *layoutv1.ComposePageRequest, instead *layoutv1.Page,
) (*layoutv1.Page, error) {
	ctx, cancel := calling(250 * time.Millisecond)
	defer cancel()
	response, err := layout.ComposePage(ctx, request)
	switch {
	case err == nil:
		return response.Page, nil
	case status.Code(err) == codes.InvalidArgument: // the caller's mistake: it fails each time
		return nil, err
	default:
		return instead, nil
	}
}

// record stores events; once it returns, they are on disk. Nothing is counted twice when it is called again.
func record(layout layoutv1.LayoutServiceClient, events []*layoutv1.ShopperEvent) (int32, error) {
	ctx, cancel := calling(2 * time.Second)
	defer cancel()
	response, err := layout.RecordEvents(ctx, &layoutv1.RecordEventsRequest{Events: events})
	return response.GetStoredCount(), err
}

// events are the first two slots, which came into view, and a click on the first item.
func events(page *layoutv1.Page) []*layoutv1.ShopperEvent {
	var found []*layoutv1.ShopperEvent
	for _, slot := range page.Slots[:min(2, len(page.Slots))] {
		found = append(found, &layoutv1.ShopperEvent{
			EventId: newID(), Type: eventsv1.EventType_EVENT_TYPE_IMPRESSION, TrackingToken: slot.TrackingToken,
		})
	}
	for _, slot := range page.Slots {
		for _, item := range slot.Items {
			return append(found, &layoutv1.ShopperEvent{
				EventId: newID(), Type: eventsv1.EventType_EVENT_TYPE_CLICK, TrackingToken: item.TrackingToken,
			})
		}
	}
	return found
}

// instead is what shoppers see where there is no answer in time. Nothing is learned from it.
func instead() *layoutv1.Page {
	return &layoutv1.Page{Slots: []*layoutv1.Slot{{
		Title:      "Popular right now",
		TemplateId: "carousel",
		Items:      []*layoutv1.Item{{ItemId: "item-00001"}, {ItemId: "item-00002"}, {ItemId: "item-00003"}},
	}}}
}

// calling is a context with a deadline and a request id, which finds the call in all logs.
func calling(timeout time.Duration) (context.Context, context.CancelFunc) {
	ctx := metadata.AppendToOutgoingContext(context.Background(), "x-request-id", newID())
	return context.WithTimeout(ctx, timeout)
}

func itemIDs(slot *layoutv1.Slot) []string {
	ids := make([]string, len(slot.Items))
	for place, item := range slot.Items {
		ids[place] = item.ItemId
	}
	return ids
}

func newID() string {
	var id [16]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

func argument(place int, otherwise string) string {
	if len(os.Args) > place {
		return os.Args[place]
	}
	return otherwise
}
