# shellcheck shell=bash
service_settings | put /etc/aima/services.env 644 root:root "${own_units[@]}" caddy.service
# What functions say of themselves in callbacks; the connector calls them from inside (its unit).
echo "AIMA_GATEWAY_URL=https://$AIMA_DOMAIN" | put /etc/aima/gateway.env 644 root:root aima-gateway.service
{
  [[ $AIMA_TLS == internal ]] && echo 'AIMA_CADDY_TLS="tls internal"'
  if [[ $AIMA_S3_PUBLIC_ENDPOINT == "https://$AIMA_S3_HOST" ]]; then
    s3=${AIMA_S3_ENDPOINT#http*://}
    echo "AIMA_S3_UPSTREAM=${s3%/}"
  else
    # Nothing of the store goes through here, and no certificate is asked for.
    echo 'AIMA_S3_HOST=http://s3.invalid'
  fi
} | put /etc/aima/proxy.env 644 root:root caddy.service
