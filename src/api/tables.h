/* The route tables of this room, one a resource. */
#ifndef API_TABLES_H
#define API_TABLES_H

#include "http/route.h"

#define ROUTE_TABLE(name)                     \
    extern const struct route name##_routes[]; \
    extern const size_t name##_routes_n

ROUTE_TABLE(event);
ROUTE_TABLE(explain);
ROUTE_TABLE(decision);
ROUTE_TABLE(fanout);
ROUTE_TABLE(subscriber);
ROUTE_TABLE(subscriber_preference);
ROUTE_TABLE(subscriber_credential);
ROUTE_TABLE(subscriber_v1);
ROUTE_TABLE(subscriber_export);
ROUTE_TABLE(subscriber_notification);
ROUTE_TABLE(topic);
ROUTE_TABLE(subscription);
ROUTE_TABLE(context);
ROUTE_TABLE(workflow);
ROUTE_TABLE(notification);
ROUTE_TABLE(activity_request);
ROUTE_TABLE(notification_stat);
ROUTE_TABLE(message);
ROUTE_TABLE(integration);
ROUTE_TABLE(integration_hook);
ROUTE_TABLE(telegram_setup);
ROUTE_TABLE(delivery);
ROUTE_TABLE(environment);
ROUTE_TABLE(organization);
ROUTE_TABLE(environment_variable);
ROUTE_TABLE(translation);
ROUTE_TABLE(layout);
ROUTE_TABLE(publish);
ROUTE_TABLE(channel_link);
ROUTE_TABLE(chat_oauth);
ROUTE_TABLE(chat_oauth_v1);
ROUTE_TABLE(chat_link);
ROUTE_TABLE(delivery_report);
ROUTE_TABLE(webhook);
ROUTE_TABLE(telegram);
ROUTE_TABLE(tenant);
ROUTE_TABLE(legacy_group);
ROUTE_TABLE(legacy_status);
ROUTE_TABLE(legacy_layout);
ROUTE_TABLE(legacy_workflow);
ROUTE_TABLE(legacy_organization);
ROUTE_TABLE(workflow_override);
ROUTE_TABLE(user);
ROUTE_TABLE(step_resolver);
ROUTE_TABLE(domain);
ROUTE_TABLE(agent);
ROUTE_TABLE(bridge);
ROUTE_TABLE(outbox);
ROUTE_TABLE(outbox_wait);
ROUTE_TABLE(inbox);
ROUTE_TABLE(widget);
ROUTE_TABLE(socket);
ROUTE_TABLE(system);
ROUTE_TABLE(openapi);

#endif
