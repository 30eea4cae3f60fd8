/* Telling systemd: READY=1, STOPPING=1 (sd_notify(3)). Nothing happens where nobody asked. */
#ifndef NODE_CLI_LIFE_NOTIFY_H
#define NODE_CLI_LIFE_NOTIFY_H

void notify_systemd(const char *state);

#endif
